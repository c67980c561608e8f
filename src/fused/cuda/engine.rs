use std::{cell::OnceCell, ffi::CStr};

use anyhow::{Result, anyhow, bail, ensure};
use ndarray::{Array2, ArrayD};

use super::{
    arguments::{Arguments, Batch, Run},
    covers,
    plan::{self, Plan},
};
use crate::{
    device::{Buffer, Context, Kernel},
    engine::{self, Engine, MaskBits, Member, Views},
    fused::{
        optimizer::Descent,
        parameters::{Parameters, array},
    },
    spec::{RunSpec, Turn, layout::Layout, layout::StateDict},
};

/// Threads of a block, as in `kernels/block.cuh`.
const THREADS: usize = 256;

/// Blocks for each multiprocessor: its registers are enough for one.
const BLOCKS: usize = 1;

/// The kernels, ready for the driver.
const PTX: &str = concat!(include_str!("kernels/train.ptx"), "\0");

/// Trains a cohort on a CUDA device in single precision, a run on each block of threads.
pub struct CudaEngine {
    context: Context,
    kernel: Kernel,
    spec: std::sync::Arc<RunSpec>,
    lrs: Vec<f64>,
    /// Names, shapes and places of a run's parameters. The values are the first run's at the start.
    template: Parameters,
    /// What each run's optimiser remembers; on the host, moments are those of the last [`Engine::snapshot`] or older.
    descents: Vec<Descent>,
    blocks: usize,
    /// Pairs of the largest batch that `memory` was made for.
    pairs: usize,
    memory: Memory,
    /// Every run's values, once they have been asked for since the last step.
    values: OnceCell<Vec<f32>>,
    /// Pairs of the last batch.
    last: usize,
}

/// What lies on the device. Moments are one number long where the optimiser has none.
struct Memory {
    network: Buffer<super::arguments::Network>,
    workspace: Buffer<f32>,
    /// Floats of a block's workspace.
    stride: usize,
    x: Buffer<f32>,
    values: Buffer<f32>,
    gradients: Buffer<f32>,
    first: Buffer<f32>,
    second: Buffer<f32>,
    representations: Buffer<f32>,
}

impl CudaEngine {
    /// An engine for the members of a cohort on the device of this number. Fails if the kernels do not train them, a
    /// state does not fit its model, or the device has no room.
    pub fn new(members: &[Member], number: usize) -> Result<Self> {
        ensure!(!members.is_empty(), "a cohort has at least one run");
        for member in members {
            covers(&member.spec).map_err(|reason| anyhow!("the fused engine does not train such a run: {reason}"))?;
        }
        let spec = members[0].spec.clone();
        let parameters = members
            .iter()
            .map(|member| Parameters::new(Layout::of(&spec.model, spec.data.p), &member.state))
            .collect::<Result<Vec<_>>>()?;
        let descents: Vec<_> = members
            .iter()
            .zip(&parameters)
            .map(|(member, parameters)| Descent::new(spec.train.optimizer, parameters, &member.state))
            .collect();
        let pairs = spec.train.batch_size.min(spec.data.samples) * spec.views.pairs;
        let plan = Plan::new(&spec, &parameters[0], pairs);
        let context = Context::open(number).map_err(failed)?;
        let ptx = CStr::from_bytes_with_nul(PTX.as_bytes())?;
        let kernel = context.kernel(ptx, c"train").map_err(failed)?;
        let blocks = members.len().min(BLOCKS * context.multiprocessors().map_err(failed)?);
        let x: Vec<f32> = members.iter().flat_map(|member| member.x.iter().map(|&x| x as f32)).collect();
        let values: Vec<f32> = parameters.iter().flat_map(|run| run.values.iter().copied()).collect();
        let moments = |of: fn(&Descent) -> &[f32]| {
            let mut moments: Vec<f32> = descents.iter().flat_map(|descent| of(descent).iter().copied()).collect();
            moments.resize(moments.len().max(1), 0.0);
            context.upload(&moments)
        };
        let memory = Memory {
            network: context.upload(&[plan.network]).map_err(failed)?,
            workspace: context.room(blocks * plan.workspace).map_err(failed)?,
            stride: plan.workspace,
            x: context.upload(&x).map_err(failed)?,
            gradients: context.room(values.len()).map_err(failed)?,
            values: context.upload(&values).map_err(failed)?,
            first: moments(|descent| &descent.first).map_err(failed)?,
            second: moments(|descent| &descent.second).map_err(failed)?,
            representations: context.room(members.len() * spec.model.m * pairs).map_err(failed)?,
        };
        Ok(Self {
            lrs: members.iter().map(|member| member.spec.train.lr).collect(),
            template: parameters.into_iter().next().expect("there is a run"),
            values: OnceCell::new(),
            last: 0,
            context,
            kernel,
            spec,
            descents,
            blocks,
            pairs,
            memory,
        })
    }

    /// Makes room for batches of so many pairs.
    fn fit(&mut self, pairs: usize) -> Result<()> {
        if pairs > self.pairs {
            let plan = Plan::new(&self.spec, &self.template, pairs);
            self.memory.network.write(&[plan.network]).map_err(failed)?;
            self.memory.workspace = self.context.room(self.blocks * plan.workspace).map_err(failed)?;
            self.memory.representations =
                self.context.room(self.descents.len() * self.spec.model.m * pairs).map_err(failed)?;
            (self.memory.stride, self.pairs) = (plan.workspace, pairs);
        }
        Ok(())
    }

    /// Takes all runs through the batches, whose `rows` `(R, pairs of all batches)` are samples; or, given `views`,
    /// through one batch without a step. Returns the losses, `(R, batches)`.
    fn launch(
        &mut self,
        batches: &[Batch],
        runs: &[Run],
        rows: &[u32],
        corrections: &[f64],
        views: Option<&[f32]>,
    ) -> Result<Vec<f64>> {
        self.values.take();
        self.last = batches.last().map_or(0, |batch| batch.pairs as usize);
        let upload = |rows: &[u32]| self.context.upload(rows).map_err(failed);
        let (batches_there, runs_there, rows_there) =
            (self.context.upload(batches).map_err(failed)?, self.context.upload(runs).map_err(failed)?, upload(rows)?);
        let corrections_there = self.context.upload(corrections).map_err(failed)?;
        let views_there = views.map(|views| self.context.upload(views)).transpose().map_err(failed)?;
        let losses = self.context.room::<f64>(runs.len() * batches.len()).map_err(failed)?;
        let Memory { network, workspace, stride, x, values, gradients, first, second, representations } = &self.memory;
        let arguments = Arguments {
            network: network.address(),
            batches: batches_there.address(),
            runs: runs_there.address(),
            x: x.address(),
            rows: rows_there.address(),
            views: views_there.as_ref().map_or(0, Buffer::address),
            corrections: corrections_there.address(),
            values: values.address(),
            gradients: gradients.address(),
            first: first.address(),
            second: second.address(),
            losses: losses.address(),
            representations: representations.address(),
            workspace: workspace.address(),
            stride: *stride as i64,
            correction_stride: if self.keeps_count() { (corrections.len() / runs.len()) as i64 } else { 0 },
            run_count: i32::try_from(runs.len())?,
            batch_count: i32::try_from(batches.len())?,
            row_count: i32::try_from(rows.len() / runs.len())?,
            representation_size: i32::try_from(self.spec.model.m * self.pairs)?,
        };
        // SAFETY: the arguments are the kernel's, and all that they point to is kept until the losses are read.
        unsafe { self.kernel.launch(self.blocks, THREADS, &arguments) }.map_err(failed)?;
        losses.read(runs.len() * batches.len()).map_err(failed)
    }

    /// Whether steps depend on how many there have been.
    fn keeps_count(&self) -> bool {
        self.spec.train.optimizer.moments() > 0
    }

    /// Adam's corrections (or SGD's number of steps) for every run, batch and place, `(R, batches, places, 2)`; for one
    /// batch, and without meaning, where steps do not depend on the count.
    fn corrections(&mut self, turns: &[Turn]) -> Vec<f64> {
        let places = self.template.places.len();
        if !self.keeps_count() {
            return vec![1.0; turns.len() * places * 2];
        }
        let mut corrections = Vec::with_capacity(self.descents.len() * turns.len() * places * 2);
        for descent in &mut self.descents {
            for &turn in turns {
                descent.count(&self.template, turn);
                corrections.extend((0..places).flat_map(|place| descent.corrections(place)));
            }
        }
        corrections
    }

    /// Every run's values, `(R, values)`.
    fn all_values(&self) -> Result<&[f32]> {
        if self.values.get().is_none() {
            let count = self.descents.len() * self.template.values.len();
            let read = self.memory.values.read(count).map_err(failed)?;
            return Ok(self.values.get_or_init(|| read));
        }
        Ok(self.values.get().map_or(&[], Vec::as_slice))
    }

    /// Parameters of each run, with what `numbers` `(R, values)` holds as their values.
    fn parameters<'a>(&'a self, numbers: &'a [f32]) -> impl Iterator<Item = Parameters> + 'a {
        numbers
            .chunks_exact(self.template.values.len())
            .map(|values| Parameters { values: values.to_vec(), ..self.template.clone() })
    }

    /// A cohort's batches as the kernel takes them: the batches, what differs between the runs, and the rows.
    fn describe(&self, batches: &[engine::Batch]) -> Result<(Vec<Batch>, Vec<Run>, Vec<u32>)> {
        let runs = self.descents.len();
        let mut first = 0;
        let mut described = Vec::with_capacity(batches.len());
        for batch in batches {
            ensure!(batch.runs.len() == runs, "{} batches for {runs} runs", batch.runs.len());
            described.push(plan::batch(batch, first));
            first += batch.runs[0].rows.len();
        }
        let mut rows = Vec::with_capacity(runs * first);
        let mut of_runs = Vec::with_capacity(runs);
        for r in 0..runs {
            let mut run = Run { lr: self.lrs[r], ..Run::default() };
            for (batch, told) in batches.iter().zip(&described) {
                let of_run = &batch.runs[r];
                let MaskBits::Native(masks) = &of_run.masks else { bail!("the kernel draws masks by itself") };
                ensure!(
                    of_run.rows.len() == told.pairs as usize && masks.counter == told.counter,
                    "the runs' batches differ in size or place"
                );
                ensure!(of_run.rows.iter().all(|&row| (row as usize) < self.spec.data.samples), "no such sample");
                run.keys = masks.keys.map(|key| [key.state(), key.gamma()]);
                run.keep = masks.keep[0].numerator();
                rows.extend_from_slice(&of_run.rows);
            }
            of_runs.push(run);
        }
        Ok((described, of_runs, rows))
    }
}

impl Engine for CudaEngine {
    fn step(&mut self, batch: &engine::Batch) -> Result<Vec<f64>> {
        Ok(self.steps(&mut std::iter::once(batch.clone()))?.remove(0))
    }

    /// All batches in one launch.
    fn steps(&mut self, batches: &mut dyn Iterator<Item = engine::Batch>) -> Result<Vec<Vec<f64>>> {
        let batches: Vec<_> = batches.collect();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let (described, runs, rows) = self.describe(&batches)?;
        self.fit(batches.iter().map(|batch| batch.runs[0].rows.len()).max().unwrap_or(0))?;
        let turns: Vec<_> = batches.iter().map(|batch| batch.turn).collect();
        let corrections = self.corrections(&turns);
        let losses = self.launch(&described, &runs, &rows, &corrections, None)?;
        let of_batch = |k: usize| losses.iter().skip(k).step_by(batches.len()).copied().collect();
        Ok((0..batches.len()).map(of_batch).collect())
    }

    fn gradients(&mut self, views: &Views, turn: Turn) -> Result<Vec<(f64, StateDict)>> {
        let (runs, p) = (self.descents.len(), self.spec.data.p);
        ensure!(views.x1.len() == runs && views.x2.len() == runs, "one pair of views for each of {runs} runs");
        let pairs = views.x1[0].nrows();
        let both = views.x1.iter().zip(&views.x2).flat_map(|(first, second)| [first, second]);
        ensure!(both.clone().all(|view| view.dim() == (pairs, p)), "views of one shape, and of {p} entries");
        let flat: Vec<f32> = both.flat_map(|view| view.t().iter().map(|&x| x as f32).collect::<Vec<_>>()).collect();
        self.fit(pairs)?;
        let batch = Batch { pairs: i32::try_from(pairs)?, turn: plan::turn(turn), rate: 1.0, ..Batch::default() };
        let nothing = vec![0.0; self.template.places.len() * 2 * runs];
        let losses = self.launch(&[batch], &vec![Run::default(); runs], &vec![0; runs], &nothing, Some(&flat))?;
        let gradients = self.memory.gradients.read(runs * self.template.values.len()).map_err(failed)?;
        let gradients = self.parameters(&gradients).map(|run| run.learning(turn, &run.values));
        Ok(losses.into_iter().zip(gradients).collect())
    }

    fn state(&self) -> Result<Vec<StateDict>> {
        Ok(self.parameters(self.all_values()?).map(|run| run.state()).collect())
    }

    fn snapshot(&self) -> Result<Vec<StateDict>> {
        let (values, count) = (self.all_values()?, self.descents.len() * self.template.values.len());
        let moments = |which: usize, buffer: &Buffer<f32>| {
            let count = if self.spec.train.optimizer.moments() >= which { count } else { 0 };
            buffer.read(count).map_err(failed)
        };
        let (first, second) = (moments(1, &self.memory.first)?, moments(2, &self.memory.second)?);
        let of_run = |all: &[f32], r: usize| match all.len() {
            0 => Vec::new(),
            _ => all[r * self.template.values.len()..][..self.template.values.len()].to_vec(),
        };
        let remember = |(r, run): (usize, Parameters)| {
            let mut state = run.state();
            let mut descent = self.descents[r].clone();
            (descent.first, descent.second) = (of_run(&first, r), of_run(&second, r));
            descent.remember(&run, &mut state);
            state
        };
        Ok(self.parameters(values).enumerate().map(remember).collect())
    }

    fn parameter(&self, name: &str) -> Result<Vec<ArrayD<f64>>> {
        let found = self.template.find(|parameter| parameter.name == name);
        let (parameter, place) = found.ok_or_else(|| anyhow!("the model has no parameter {name}"))?;
        let runs = self.all_values()?.chunks_exact(self.template.values.len());
        Ok(runs.map(|values| array(parameter, &values[place.clone()])).collect())
    }

    fn load(&mut self, states: &[StateDict]) -> Result<()> {
        ensure!(states.len() == self.descents.len(), "{} states for {} runs", states.len(), self.descents.len());
        let mut values = Vec::with_capacity(states.len() * self.template.values.len());
        for state in states {
            let mut run = self.template.clone();
            run.load(state)?;
            values.extend(run.values);
        }
        self.values.take();
        self.memory.values.write(&values).map_err(failed)
    }

    fn representations(&self) -> Result<Vec<Array2<f64>>> {
        let (runs, m, size) = (self.descents.len(), self.spec.model.m, self.spec.model.m * self.pairs);
        let all = self.memory.representations.read(runs * size).map_err(failed)?;
        // (m, B) of each run
        let sample = |run: &[f32]| Array2::from_shape_fn((self.last, m), |(b, i)| f64::from(run[i * self.last + b]));
        Ok(all.chunks_exact(size).map(sample).collect())
    }
}

/// The device's word for what went wrong.
fn failed(reason: String) -> anyhow::Error {
    anyhow!(reason)
}
