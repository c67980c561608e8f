use std::sync::Arc;

use anyhow::{Result, ensure};
use ndarray::{Array2, ArrayD};

use super::{
    network::{Network, Workspace},
    optimizer::Descent,
    parameters::Parameters,
    views,
};
use crate::{
    engine::{Batch, Engine, Member, RunBatch, Views},
    kernels::Matrix,
    losses::Loss,
    random::native::Key,
    spec::{
        BatchNorm, Dtype, Predictor, RunSpec, TrainSpec, Turn,
        layout::{Layout, StateDict},
    },
};

/// Trains a cohort on one thread in single precision, one run after the other.
pub struct FusedEngine {
    network: Network,
    work: Workspace,
    runs: Vec<Run>,
}

/// One run of the cohort.
struct Run {
    parameters: Parameters,
    descent: Descent,
    train: TrainSpec,
    predictor: Predictor,
    /// Samples, `(p, n)`.
    x: Matrix,
    /// Of the last batch, `(m, B)`.
    representation: Matrix,
}

impl FusedEngine {
    /// Whether this engine can train such a run: the network, and a loss with a kernel.
    pub fn supports(spec: &RunSpec) -> bool {
        Self::supports_network(spec) && spec.loss.kernel().is_some()
    }

    /// Whether this engine can train such a network, whatever the loss: in single precision, and without the modules
    /// that only the authors' scripts ask for, which are in the state dict but not in the loss.
    pub fn supports_network(spec: &RunSpec) -> bool {
        let idle = matches!(spec.model.predictor, Predictor::Idle { .. })
            || matches!(spec.model.batch_norm, BatchNorm::Idle | BatchNorm::PreAndPostActivation);
        spec.dtype == Dtype::Float32 && !idle
    }

    /// An engine for the members of a cohort. Fails if they ask for double precision or a state does not fit its model.
    pub fn new(members: &[Member]) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        Self::with_loss(members, members[0].spec.loss.shared())
    }

    /// The same with a loss of the caller's instead of the settings'. Fails if it has no kernel.
    pub fn with_loss(members: &[Member], loss: Arc<dyn Loss>) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        let runs: Vec<Run> = members.iter().map(Run::new).collect::<Result<_>>()?;
        let network = Network::new(&members[0].spec.model, loss, &runs[0].parameters);
        Ok(Self { work: network.workspace()?, network, runs })
    }
}

impl Engine for FusedEngine {
    fn step(&mut self, batch: &Batch) -> Result<Vec<f64>> {
        ensure!(batch.runs.len() == self.runs.len(), "{} batches for {} runs", batch.runs.len(), self.runs.len());
        let Self { network, work, runs } = self;
        for (run, x) in runs.iter_mut().zip(batch.samples.iter().flatten()) {
            run.x = Matrix::from_samples(x.view());
        }
        let step = |(run, batch_of_run): (&mut Run, &RunBatch)| {
            let RunBatch { rows, masks, draws, noise } = batch_of_run;
            work.kernel.draw(*draws);
            views::mask_views(&run.x, rows, &masks.words(), batch.scale as f32, &mut work.views);
            for (view, noise) in work.views.iter_mut().zip(noise.iter().flatten()) {
                views::add(view, noise);
            }
            let loss = network.backpropagate(&mut run.parameters, batch.turn, work);
            std::mem::swap(&mut run.representation, network.representation(work));
            run.descent.step(&mut run.parameters, batch.turn, batch.rate * run.train.lr);
            run.parameters.constrain(&run.train, run.predictor);
            loss
        };
        Ok(runs.iter_mut().zip(&batch.runs).map(step).collect())
    }

    fn gradients(&mut self, views: &Views, turn: Turn) -> Result<Vec<(f64, StateDict)>> {
        let runs = self.runs.len();
        ensure!(views.x1.len() == runs && views.x2.len() == runs, "one pair of views for each of {runs} runs");
        let pairs = views.x1.iter().zip(&views.x2);
        let gradient = |(run, (x1, x2)): (&mut Run, (&Array2<f64>, &Array2<f64>))| {
            ensure!(
                x1.dim() == x2.dim() && x1.ncols() == run.x.rows(),
                "views of {} entries, two of one shape",
                run.x.rows()
            );
            self.work.kernel.draw(Key::from_seed(0));
            self.work.views = [Matrix::from_samples(x1.view()), Matrix::from_samples(x2.view())];
            let loss = self.network.backpropagate(&mut run.parameters, turn, &mut self.work);
            std::mem::swap(&mut run.representation, self.network.representation(&mut self.work));
            Ok((loss, run.parameters.gradients(turn)))
        };
        self.runs.iter_mut().zip(pairs).map(gradient).collect()
    }

    fn state(&self) -> Result<Vec<StateDict>> {
        Ok(self.runs.iter().map(|run| run.parameters.state()).collect())
    }

    fn snapshot(&self) -> Result<Vec<StateDict>> {
        let snapshot = |run: &Run| {
            let mut state = run.parameters.state();
            run.descent.remember(&run.parameters, &mut state);
            state
        };
        Ok(self.runs.iter().map(snapshot).collect())
    }

    fn parameter(&self, name: &str) -> Result<Vec<ArrayD<f64>>> {
        self.runs.iter().map(|run| run.parameters.value(name)).collect()
    }

    fn load(&mut self, states: &[StateDict]) -> Result<()> {
        ensure!(states.len() == self.runs.len(), "{} states for {} runs", states.len(), self.runs.len());
        self.runs.iter_mut().zip(states).try_for_each(|(run, state)| run.parameters.load(state))
    }

    fn representations(&self) -> Result<Vec<Array2<f64>>> {
        Ok(self.runs.iter().map(|run| run.representation.to_samples()).collect())
    }
}

impl Run {
    fn new(member: &Member) -> Result<Self> {
        let spec = &member.spec;
        ensure!(FusedEngine::supports(spec), "the fused engine does not train such a run; use autograd");
        let layout = Layout::of(&spec.model, spec.data.p);
        let parameters = Parameters::new(layout, &member.state)?;
        Ok(Self {
            descent: Descent::new(spec.train.optimizer, &parameters, &member.state),
            parameters,
            train: spec.train.clone(),
            predictor: spec.model.predictor,
            x: Matrix::from_samples(member.x.view()),
            representation: Matrix::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::{
        engine::MaskBits,
        fused::reference,
        kernels::testing::{Draws, assert_close, finite_differences},
        spec::{Turns, layout::Kind, methods, resolve},
    };

    /// Samples of a batch.
    const BATCH: usize = 9;

    fn spec(settings: &str) -> RunSpec {
        let small = "{data: {p: 6, d: 6, samples: 20}, model: {m: 7}, train: {batch_size: 9, lr: 0.5}}";
        let [small, settings] = [small, settings].map(|text| serde_yaml::from_str(text).unwrap());
        resolve(&[&small, &settings]).unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    /// A run with drawn samples and parameters, exact in single precision.
    fn member(spec: RunSpec, draws: &mut Draws) -> Member {
        let state = Layout::of(&spec.model, spec.data.p).into_iter().map(|parameter| {
            let value = || match parameter.kind {
                Kind::Weight => f64::from(draws.value()),
                Kind::Bias | Kind::ConstantBias | Kind::NormShift => f64::from(draws.value()) / 4.0,
                Kind::NormScale => f64::from(1.0 + draws.value() / 4.0),
                Kind::RunningVar => 1.0,
                Kind::RunningMean | Kind::BatchCount | Kind::Moment => 0.0,
            };
            (parameter.name, ArrayD::from_shape_simple_fn(parameter.shape, value))
        });
        let state = state.collect();
        let x = Arc::new(draws.array(spec.data.samples, spec.data.p).mapv(f64::from));
        Member { spec: Arc::new(spec), x, state }
    }

    fn views(draws: &mut Draws, p: usize) -> Views {
        let [x1, x2] = [0, 1].map(|_| vec![draws.array(BATCH, p).mapv(f64::from)]);
        Views { x1, x2 }
    }

    fn samples(x: &Array2<f64>) -> Vec<Vec<f64>> {
        x.outer_iter().map(|x| x.to_vec()).collect()
    }

    fn turns(spec: &RunSpec) -> &'static [Turn] {
        match spec.train.turns {
            Turns::Alternating => &[Turn::Online, Turn::Target],
            Turns::Ema { .. } => &[Turn::Online],
            Turns::Joint => &[Turn::Joint],
        }
    }

    /// Loss, gradients and representation against the literal network.
    fn check(settings: &str) {
        let mut draws = Draws::new(13);
        let member = member(spec(settings), &mut draws);
        let (spec, state) = (member.spec.clone(), member.state.clone());
        let views = views(&mut draws, spec.data.p);
        let (x1, x2) = (samples(&views.x1[0]), samples(&views.x2[0]));
        for &turn in turns(&spec) {
            let mut engine = FusedEngine::new(slice::from_ref(&member)).unwrap();
            let (loss, gradients) = engine.gradients(&views, turn).unwrap().remove(0);
            let expected = reference::loss(&spec, &state, &state, [&x1, &x2], turn);
            assert!((loss - expected).abs() < 1e-5 * expected.abs().max(1.0), "{settings}: {loss} for {expected}");
            let learning: Vec<String> = Layout::of(&spec.model, spec.data.p)
                .into_iter()
                .filter_map(|parameter| parameter.learns(turn).then_some(parameter.name))
                .collect();
            assert_eq!(gradients.keys().cloned().collect::<Vec<_>>(), learning, "{settings}");

            // All gradients at once, so that small ones are measured against the largest.
            let (mut found, mut at) = (Vec::new(), Vec::new());
            for name in &learning {
                found.extend(gradients[name].iter().map(|&g| g as f32));
                at.extend(state[name].iter().copied());
            }
            let expected = finite_differences(&at, |at| {
                let (mut moved, mut at) = (state.clone(), at.iter());
                for name in &learning {
                    moved[name].iter_mut().zip(&mut at).for_each(|(value, at)| *value = *at);
                }
                reference::loss(&spec, &moved, &state, [&x1, &x2], turn)
            });
            assert_close(&found, &expected, 2e-5);

            let representation = engine.representations().unwrap().remove(0);
            let expected = reference::encode(&spec, &state, &x1).concat();
            assert_close(representation.mapv(|z| z as f32).iter(), &expected, 1e-5);
        }
    }

    #[test]
    fn every_method_against_the_literal_network() {
        for method in methods() {
            check(&format!("{{method: {}, data: {{p: 6, d: 6}}, model: {{m: 7}}}}", method.name));
        }
    }

    #[test]
    fn every_option_against_the_literal_network() {
        for settings in [
            "method: ncl, model: {batch_norm: post_activation, activation: sym_relu, bias: uniform}",
            "method: ncl, model: {batch_norm: post_activation, layers: 2}, loss: {normalize: false}",
            "method: ncl, model: {activation: relu, bias: none}, loss: {weight_penalty: 0.3}",
            "method: ncl, model: {predictor: diagonal}, loss: {kind: l2, normalize: false}, train: {turns: joint}",
            "method: ncl, model: {predictor: {kind: linear, bias: false}, frozen: [encoder]}",
            "method: ncl-linear, loss: {weight_penalty: 0.1}",
            "method: simclr, model: {batch_norm: post_activation, layers: 2, projector: linear}",
            "method: simsiam, model: {batch_norm: post_activation, projector: linear, predictor: diagonal}",
        ] {
            check(&format!("{{{settings}}}"));
        }
    }

    /// A batch of masked samples of a cohort.
    fn batch(draws: &mut Draws, runs: usize, turn: Turn) -> Batch {
        let mut run = || RunBatch {
            rows: (0..BATCH).map(|_| (draws.bits() % 20) as u32).collect(),
            masks: MaskBits::Drawn([0, 1].map(|_| (0..BATCH).map(|_| draws.bits()).collect())),
            draws: Key::from_seed(0),
            noise: None,
        };
        Batch { turn, scale: 2.0, rate: 1.0, samples: None, runs: (0..runs).map(|_| run()).collect() }
    }

    #[test]
    fn a_step_follows_the_gradient_of_its_masked_views() {
        let mut draws = Draws::new(14);
        let member = member(spec("{method: ncl-predictor, train: {lr: 0.25}}"), &mut draws);
        let batch = batch(&mut draws, 1, Turn::Online);
        let RunBatch { rows, masks, .. } = &batch.runs[0];
        let [x1, x2] = masks.words().map(|bits| {
            let entry = |(b, j)| if bits[b] >> j & 1 == 1 { 2.0 * member.x[(rows[b] as usize, j)] } else { 0.0 };
            vec![Array2::from_shape_fn((BATCH, 6), entry)]
        });
        let [mut at_point, mut stepping] = [0, 1].map(|_| FusedEngine::new(slice::from_ref(&member)).unwrap());
        let (loss, gradients) = at_point.gradients(&Views { x1, x2 }, Turn::Online).unwrap().remove(0);
        assert_eq!(stepping.step(&batch).unwrap(), [loss]);
        let state = stepping.state().unwrap().remove(0);
        for (name, gradient) in &gradients {
            let expected = &member.state[name] - 0.25 * gradient;
            assert_eq!(state[name], expected.mapv(|w| f64::from(w as f32)), "{name}");
        }
        assert_eq!(state["Wt.weight"], member.state["Wt.weight"]);
        assert_ne!(state["bnt.running_mean"], member.state["bnt.running_mean"]);
        assert_eq!(state["bnt.num_batches_tracked"].sum(), 1.0);
        assert_eq!(stepping.representations().unwrap(), at_point.representations().unwrap());
    }

    #[test]
    fn constraints_after_a_step() {
        let mut draws = Draws::new(15);
        let settings =
            "{method: byol, train: {turns: {kind: ema, decay: 0.75}, normalize_predictor: columns, clamp_bias: 0.1}}";
        let member = member(spec(settings), &mut draws);
        let mut engine = FusedEngine::new(slice::from_ref(&member)).unwrap();
        engine.step(&batch(&mut draws, 1, Turn::Online)).unwrap();
        let state = engine.state().unwrap().remove(0);
        let target = 0.75 * &member.state["Wt.weight"] + 0.25 * &state["Wo.weight"];
        assert!((&state["Wt.weight"] - &target).iter().all(|error| error.abs() < 1e-6));
        assert!(state["Wo.bias"].iter().chain(&state["Wt.bias"]).all(|b| b.abs() <= f64::from(0.1f32)));
        let predictor = state["Wp.weight"].view().into_dimensionality::<ndarray::Ix2>().unwrap();
        for column in predictor.columns() {
            assert!((column.dot(&column) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_run_does_not_depend_on_its_cohort() {
        let mut draws = Draws::new(16);
        for method in ["ncl-two-layer", "simclr-orig", "simsiam"] {
            let members = [0, 1, 2].map(|_| member(spec(&format!("{{method: {method}}}")), &mut draws));
            let mut together = FusedEngine::new(&members).unwrap();
            let mut alone = FusedEngine::new(&members[1..2]).unwrap();
            for turn in [Turn::Online, Turn::Target, Turn::Joint] {
                let batch = batch(&mut draws, 3, turn);
                let losses = together.step(&batch).unwrap();
                let batch_of_one = Batch { runs: vec![batch.runs[1].clone()], ..batch };
                assert_eq!(alone.step(&batch_of_one).unwrap(), losses[1..2]);
            }
            assert_eq!(alone.state().unwrap()[0], together.state().unwrap()[1]);
            assert_eq!(alone.representations().unwrap()[0], together.representations().unwrap()[1]);
        }
    }

    #[test]
    fn states_are_checked_and_replaced() {
        let mut draws = Draws::new(17);
        let [one, other] = [0, 1].map(|_| member(spec("{method: ncl}"), &mut draws));
        let mut engine = FusedEngine::new(slice::from_ref(&one)).unwrap();
        engine.load(slice::from_ref(&other.state)).unwrap();
        assert_eq!(engine.state().unwrap()[0], other.state);
        assert_eq!(engine.parameter("Wt.bias").unwrap(), [other.state["Wt.bias"].clone()]);
        assert!(engine.parameter("Wp.weight").is_err());
        let mut without = one.state.clone();
        without.shift_remove("Wt.bias");
        assert!(engine.load(&[without]).unwrap_err().to_string().contains("Wt.bias"));
        assert!(engine.load(&[]).is_err());
    }
}
