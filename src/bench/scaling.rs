//! How our own cost grows with the batch, the data, the network, the cohort and the threads.

use std::thread;

use anyhow::{Result, anyhow};

use super::{
    Model, OURS, Options, models, own,
    report::Timing,
    side::{Launch, Side, allowed_cpus},
    take_turns,
};
use crate::{
    aligned,
    logs::tell,
    output,
    plots::{Band, Curve, Dash, Figure, LineStyle, Panel, Scale},
    record::write_whole,
    spec::RunSpec,
};

/// The models whose growth is shown: without and with a loss over pairs of samples.
const MODELS: [&str; 2] = ["simplified", "simclr-orig"];

/// What is varied, all else at the paper's sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Batch,
    Samples,
    Neurons,
    Inputs,
    Runs,
    Threads,
}

impl Axis {
    const ALL: [Self; 6] = [Self::Batch, Self::Samples, Self::Neurons, Self::Inputs, Self::Runs, Self::Threads];

    fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch size B",
            Self::Samples => "samples n",
            Self::Neurons => "neurons m",
            Self::Inputs => "input dimension p",
            Self::Runs => "runs R",
            Self::Threads => "threads",
        }
    }

    /// What the time is per.
    fn unit(self) -> &'static str {
        match self {
            Self::Samples => "ms for an epoch",
            Self::Runs => "ms for a step of all runs",
            _ => "ms for a step of each run",
        }
    }

    fn values(self, cores: usize) -> Vec<usize> {
        let powers = |from: u32, to: u32| (from..=to).map(|power| 1 << power).collect();
        match self {
            Self::Batch => powers(5, 11),
            Self::Samples => powers(9, 14),
            Self::Neurons => powers(3, 9),
            Self::Inputs => powers(4, 10),
            Self::Runs => powers(0, 5),
            Self::Threads => (0..).map(|power| 1 << power).take_while(|&threads| threads <= cores).collect(),
        }
    }

    /// Power of the size with which the dominant term of the cost grows.
    fn expected(self, contrastive: bool) -> f64 {
        match self {
            // NT-Xent compares all pairs of views.
            Self::Batch if contrastive => 2.0,
            Self::Batch | Self::Samples | Self::Neurons | Self::Runs => 1.0,
            // The pairs are compared after the encoder.
            Self::Inputs if contrastive => 0.0,
            Self::Inputs => 1.0,
            Self::Threads => -1.0,
        }
    }

    fn set(self, value: usize, spec: &mut RunSpec, launch: &mut Launch) {
        match self {
            Self::Batch => {
                spec.train.batch_size = value;
                // Whole batches only.
                spec.data.samples = 1 << 12;
            }
            Self::Samples => spec.data.samples = value,
            Self::Neurons => spec.model.m = value,
            Self::Inputs => spec.data.p = value,
            Self::Runs => launch.runs = value,
            Self::Threads => launch.threads = value,
        }
    }

    /// Steps summed over runs, per what [`Self::unit`] names.
    fn run_steps(self, value: usize, spec: &RunSpec) -> usize {
        match self {
            Self::Samples => spec.batches().len(),
            Self::Runs => value,
            _ => 1,
        }
    }
}

/// One model along one axis: sizes, and milliseconds round by round for each.
struct Growth {
    method: &'static str,
    axis: Axis,
    values: Vec<usize>,
    times: Vec<Vec<f64>>,
}

/// Times our engine along every axis. Prints the slopes, and writes `scaling.csv` and `scaling.png`.
pub fn scaling(options: &Options) -> Result<()> {
    let cores = allowed_cpus()?.len();
    let mut all = Vec::new();
    for axis in Axis::ALL {
        for method in MODELS {
            all.push(Growth::measure(method, axis, axis.values(cores), options)?);
        }
    }
    output::write(format_args!("{}", table(&all)))?;
    write(&all, options)
}

impl Growth {
    fn measure(method: &'static str, axis: Axis, values: Vec<usize>, options: &Options) -> Result<Self> {
        tell(format_args!("== {method} against the {}", axis.name()));
        let (title, spec) = models(&[method.to_string()])?.remove(0);
        let mut units = Vec::with_capacity(values.len());
        let mut points = Vec::with_capacity(values.len());
        for &value in &values {
            let mut launch = Launch { name: OURS.into(), command: own("fused"), runs: 1, processes: 1, threads: 1 };
            let mut spec = spec.clone();
            axis.set(value, &mut spec, &mut launch);
            units.push(axis.run_steps(value, &spec) as f64);
            points.push((Model::new(title, &spec)?, launch));
        }
        let sides: Vec<Result<Side>> = thread::scope(|scope| {
            let start = |(model, launch): &(Model, Launch)| model.prepare(launch).map(|(side, _)| side);
            let threads: Vec<_> = points.iter().map(|point| scope.spawn(move || start(point))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a panic")))).collect()
        });
        let timings = take_turns(sides.into_iter().collect::<Result<_>>()?, options)?;
        let scaled = |(timing, unit): (Timing, f64)| timing.rounds.iter().map(|ms| ms * unit).collect();
        Ok(Self { method, axis, values, times: timings.into_iter().zip(units).map(scaled).collect() })
    }

    fn contrastive(&self) -> bool {
        self.method == MODELS[1]
    }

    /// The fastest round at every size: anything else that runs on the machine can only add to a time.
    fn fastest(&self) -> Vec<f64> {
        self.times.iter().map(|rounds| rounds.iter().copied().fold(f64::INFINITY, f64::min)).collect()
    }

    /// Power with which the time grows between two sizes.
    fn slope(&self, from: usize, to: usize) -> f64 {
        let (times, size) = (self.fastest(), |at: usize| self.values[at] as f64);
        (times[to] / times[from]).ln() / (size(to) / size(from)).ln()
    }

    fn curves(&self) -> [Curve; 2] {
        let color = usize::from(self.contrastive());
        let x: Vec<f64> = self.values.iter().map(|&value| value as f64).collect();
        let power = self.axis.expected(self.contrastive());
        let (last, at) = (self.fastest()[x.len() - 1], x[x.len() - 1]);
        let expected = x.iter().map(|x| last * (x / at).powf(power)).collect();
        let curve = |label: String, dash, values| Curve {
            label,
            style: LineStyle::new(color, dash),
            x: x.clone(),
            runs: vec![values],
        };
        [
            curve(self.method.into(), Dash::Solid, self.fastest()),
            curve(format!("slope {power}"), Dash::Dotted, expected),
        ]
    }
}

fn table(all: &[Growth]) -> String {
    let header = ["cost against", "model", "from", "to", "ms", "ms", "slope", "last doubling", "expected"];
    let mut lines = vec![header.map(String::from)];
    for growth in all.iter().filter(|growth| growth.values.len() > 1) {
        let (times, last) = (growth.fastest(), growth.values.len() - 1);
        lines.push([
            growth.axis.name().into(),
            growth.method.into(),
            growth.values[0].to_string(),
            growth.values[last].to_string(),
            format!("{:.3}", times[0]),
            format!("{:.3}", times[last]),
            format!("{:.2}", growth.slope(0, last)),
            format!("{:.2}", growth.slope(last - 1, last)),
            growth.axis.expected(growth.contrastive()).to_string(),
        ]);
    }
    aligned::columns(&lines, aligned::first_left)
}

fn write(all: &[Growth], options: &Options) -> Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["axis", "model", "value", "unit", "round", "milliseconds"])?;
    for growth in all {
        for (value, rounds) in growth.values.iter().zip(&growth.times) {
            for (round, ms) in rounds.iter().enumerate() {
                let axis = growth.axis;
                let numbers = [value.to_string(), axis.unit().into(), (round + 1).to_string(), ms.to_string()];
                csv.write_record([axis.name().to_string(), growth.method.into()].into_iter().chain(numbers))?;
            }
        }
    }
    let file = options.results.join("scaling.csv");
    write_whole(&file, &csv.into_inner().map_err(|error| error.into_error())?)?;
    let panels = all.chunk_by(|a, b| a.axis == b.axis).map(|growths| Panel {
        title: format!("cost against the {}", growths[0].axis.name()),
        x_label: growths[0].axis.name().into(),
        y_label: growths[0].axis.unit().into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        curves: growths.iter().flat_map(Growth::curves).collect(),
        ..Panel::default()
    });
    let figure = Figure {
        title: "How the cost of training grows".into(),
        subtitle: "fused engine; where not varied p = m = 50, B = 512, n = 1000, one run on one core".into(),
        panels: panels.collect(),
        columns: 3,
        band: Band::None,
        note: format!("Solid: the fastest of {} rounds. Dotted: the expected power.", options.rounds),
        ..Figure::default()
    };
    let picture = options.plots.join("scaling.png");
    figure.draw(&picture)?;
    tell(format_args!("wrote {} and {}", file.display(), picture.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_powers() {
        let growth = Growth {
            method: MODELS[1],
            axis: Axis::Batch,
            values: vec![2, 4, 8],
            times: vec![vec![1.0, 9.0], vec![4.0, 4.5], vec![32.0, 33.0]],
        };
        assert_eq!(growth.fastest(), [1.0, 4.0, 32.0]);
        assert!((growth.slope(0, 2) - 2.5).abs() < 1e-12 && (growth.slope(1, 2) - 3.0).abs() < 1e-12);
        assert!(table(&[growth]).contains("batch size B"));
    }

    #[test]
    fn every_size_is_a_valid_run() {
        for axis in Axis::ALL {
            for (_, spec) in models(&MODELS.map(String::from)).unwrap() {
                for value in axis.values(4) {
                    let mut spec = spec.clone();
                    let mut launch = Launch { name: OURS.into(), command: vec![], runs: 1, processes: 1, threads: 1 };
                    axis.set(value, &mut spec, &mut launch);
                    assert!(!spec.batches().is_empty(), "{axis:?} {value}");
                }
            }
        }
    }
}
