//! Tables, `bench.csv` and `bench.png`.

use std::{cmp::Ordering, path::Path};

use anyhow::Result;
use indexmap::IndexMap;

use super::{FLOOR, OURS, protocol::Answer, rate, side::Launch};
use crate::{
    aligned,
    logs::tell,
    plots::{Dot, Dots, DotsGrid, Scale},
    record::write_whole,
};

/// A side's times.
#[derive(Clone, Debug)]
pub struct Timing {
    pub launch: Launch,
    /// Milliseconds for each step of each run, round by round.
    pub rounds: Vec<f64>,
    /// Most memory held, in bytes, summed over the processes.
    pub memory: f64,
}

impl Timing {
    pub fn new(launch: Launch) -> Self {
        Self { launch, rounds: Vec::new(), memory: 0.0 }
    }

    pub fn add(&mut self, answers: &[Answer]) {
        self.rounds.push(1e3 / rate(answers));
        self.memory = self.memory.max(answers.iter().map(|answer| answer.memory).sum());
    }

    pub fn median(&self) -> f64 {
        median(self.rounds.iter().copied())
    }

    fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.rounds.iter().copied().fold(0.0, f64::max)
    }

    /// Median of the ratios to another side's time in the same round.
    fn ratio(&self, to: &Self) -> f64 {
        median(self.rounds.iter().zip(&to.rounds).map(|(a, b)| a / b))
    }

    /// By the median time.
    pub fn cmp(&self, other: &Self) -> Ordering {
        self.median().total_cmp(&other.median())
    }

    /// `jax, R = 5`, and how it is spread over several cores.
    fn label(&self) -> String {
        let Launch { name, runs, processes, threads, .. } = &self.launch;
        if name == FLOOR {
            return "floor of the arithmetic".into();
        }
        let spread = match (processes, threads) {
            (1, 1) => String::new(),
            (1, threads) => format!(", {threads} threads"),
            (processes, _) => format!(", {processes} processes"),
        };
        format!("{name}, R = {runs}{spread}")
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n => (values[(n - 1) / 2] + values[n / 2]) / 2.0,
    }
}

/// All timings, by the title of the model.
#[derive(Debug, Default)]
pub struct Report {
    models: IndexMap<String, Vec<Timing>>,
}

impl Report {
    pub fn add(&mut self, title: &str, timings: Vec<Timing>) {
        self.models.entry(title.into()).or_default().extend(timings);
    }

    pub fn of(&self, title: &str) -> &[Timing] {
        self.models.get(title).map_or(&[], Vec::as_slice)
    }

    /// One model, fastest side first, and what the ratios to the best peer are.
    pub fn table(&self, title: &str) -> String {
        let timings = self.of(title);
        let mut out = String::new();
        let mut cores: Vec<usize> = timings.iter().map(|timing| timing.launch.cores()).collect();
        cores.dedup();
        for cores in cores {
            let mut at: Vec<&Timing> = timings.iter().filter(|timing| timing.launch.cores() == cores).collect();
            at.sort_by(|a, b| a.cmp(b));
            let Some(ours) = at.iter().find(|timing| timing.launch.name == OURS) else { continue };
            let floor = timings.iter().find(|timing| timing.launch.name == FLOOR);
            let mut lines = vec![
                [
                    &format!("{cores} core{}", if cores == 1 { "" } else { "s" }),
                    "ms/run-step",
                    "min",
                    "max",
                    "to ours",
                    "to floor",
                    "MB",
                ]
                .map(String::from),
            ];
            for timing in &at {
                let to_floor = floor.map(|floor| timing.median() * cores as f64 / floor.median());
                lines.push([
                    timing.label(),
                    format!("{:.4}", timing.median()),
                    format!("{:.4}", timing.least()),
                    format!("{:.4}", timing.most()),
                    format!("{:.2}", timing.ratio(ours)),
                    to_floor.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                    format!("{:.0}", timing.memory / 1e6),
                ]);
            }
            out += &aligned::columns(&lines, aligned::first_left);
            let is_peer =
                |timing: &&&Timing| timing.launch.name.starts_with("jax") || timing.launch.name.starts_with("torch");
            if let Some(best) = at.iter().find(is_peer) {
                out += &format!("ours takes {:.2} of the best peer's time ({})\n", ours.ratio(best), best.label());
            }
        }
        out
    }

    /// Writes `bench.csv`, a line for each side and round, and `bench.png`.
    pub fn write(&self, results: &Path, plots: &Path) -> Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["model", "side", "runs", "processes", "threads", "round", "ms_per_run_step", "peak_bytes"])?;
        for (model, timing) in self.models.iter().flat_map(|(model, timings)| timings.iter().map(move |t| (model, t))) {
            let Launch { name, runs, processes, threads, .. } = &timing.launch;
            for (round, ms) in timing.rounds.iter().enumerate() {
                let numbers = [*runs, *processes, *threads, round + 1].map(|number| number.to_string());
                let texts = [model.clone(), name.clone()].into_iter().chain(numbers);
                csv.write_record(texts.chain([ms.to_string(), timing.memory.to_string()]))?;
            }
        }
        let file = results.join("bench.csv");
        write_whole(&file, &csv.into_inner().map_err(|error| error.into_error())?)?;
        let picture = plots.join("bench.png");
        self.picture().draw(&picture)?;
        tell(format_args!("wrote {} and {}", file.display(), picture.display()));
        Ok(())
    }

    /// A panel for each model: time on one core, side by side, logarithmic.
    fn picture(&self) -> DotsGrid {
        let panel = |(title, timings): (&String, &Vec<Timing>)| {
            let mut at: Vec<&Timing> = timings.iter().filter(|timing| timing.launch.cores() == 1).collect();
            at.sort_by(|a, b| a.cmp(b));
            let color = |name: &str| match name {
                FLOOR => 6,
                name if name.starts_with(OURS) => 0,
                _ => 1,
            };
            let dot = |timing: &&Timing| Dot {
                label: timing.label(),
                mean: timing.median(),
                interval: Some((timing.least(), timing.most())),
                color: color(&timing.launch.name),
                ..Dot::default()
            };
            Dots {
                title: title.clone(),
                x_label: "milliseconds for each step of each run, on one core".into(),
                x_scale: Scale::Log,
                dots: at.iter().map(dot).collect(),
                ..Dots::default()
            }
        };
        DotsGrid {
            title: "Time of a training step".into(),
            subtitle: "p = m = 50, B = 512 of n = 1000 samples, single precision; R runs side by side".into(),
            panels: self.models.iter().map(panel).collect(),
            columns: 2,
            note: "Dot: median over rounds in which all sides take turns. Interval: fastest and slowest round.".into(),
            ..DotsGrid::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(name: &str, rounds: &[f64]) -> Timing {
        let launch = Launch { name: name.into(), command: vec![], runs: 5, processes: 1, threads: 1 };
        Timing { launch, rounds: rounds.to_vec(), memory: 3e8 }
    }

    #[test]
    fn the_table_ranks_and_compares_round_by_round() {
        let mut report = Report::default();
        // The machine is half as fast in the second round; the ratio stays.
        let timings = vec![timing("jax", &[3.0, 6.0, 3.0]), timing(OURS, &[1.0, 2.0, 1.0]), timing(FLOOR, &[0.5; 3])];
        report.add("model", timings);
        let table = report.table("model");
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("floor") && lines[2].starts_with("ours, R = 5"), "{table}");
        assert!(table.contains("ours takes 0.33 of the best peer's time (jax, R = 5)"), "{table}");
        assert!(lines[2].contains("2.00"), "ours to floor: {table}");
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
