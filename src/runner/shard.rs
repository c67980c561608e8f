//! Which part of a sweep this process trains.
//!
//! A shard is a function of the plan and the flags alone: of every run's estimated work, in the plan's order. Existing
//! records, the machine and the clock play no part, so all processes given the same experiments and flags deal the runs
//! alike, and together the shards hold each run once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    fmt,
    str::FromStr,
};

use anyhow::Result;
use indexmap::IndexMap;

use super::{DeviceChoice, cost, gpu_memory, slurm_task::SlurmTask};
use crate::{
    input_error,
    spec::{PlannedExperiment, PlannedRun},
    train,
};

/// `--shard`: one part of several, as the flag spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardChoice {
    /// `I/N`.
    Part(Shard),
    /// `slurm`: of the job array and its step, as given by Slurm's environment.
    Slurm,
}

/// `--index`: one run of the plan, as the flag spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexChoice {
    /// Counted from 1.
    Run(usize),
    /// `slurm`: `$SLURM_ARRAY_TASK_ID`.
    Slurm,
}

/// Part `number` of `of`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1 on.
    pub number: usize,
    /// How many parts there are.
    pub of: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| number.parse().ok().zip(of.parse().ok()));
        match numbers {
            Some((number, of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err(format!("`{text}` is not a shard; valid: I/N with I from 1 to N, such as 2/8, or slurm")),
        }
    }
}

impl ShardChoice {
    /// The part; `slurm` is looked up in the environment.
    ///
    /// # Errors
    /// Slurm's environment does not say which.
    pub fn part(self) -> Result<Shard> {
        match self {
            Self::Part(shard) => Ok(shard),
            Self::Slurm => SlurmTask::here("--shard slurm")?.shard(),
        }
    }
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "slurm" { Ok(Self::Slurm) } else { text.parse().map(Self::Part) }
    }
}

impl FromStr for IndexChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "slurm" => Ok(Self::Slurm),
            Ok(number @ 1..) => Ok(Self::Run(number)),
            _ => {
                Err(format!("`{text}` is not the number of a run; valid: 1, 2, ... as --dry-run lists them, or slurm"))
            }
        }
    }
}

/// What shards are dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// Single runs, to cores.
    Runs,
    /// Cohorts of so many runs at most, to GPUs: there a step takes the same time for one run as for a hundred, so a cohort
    /// that is torn apart takes that time in every part.
    Cohorts(usize),
}

impl Pieces {
    /// What is dealt where the flags ask for a device and, perhaps, a size of cohorts.
    pub fn choose(device: DeviceChoice, cohort: Option<usize>) -> Self {
        match device {
            DeviceChoice::Cuda(_) => Self::Cohorts(cohort.unwrap_or(gpu_memory::MOST)),
            DeviceChoice::Auto | DeviceChoice::Cpu => Self::Runs,
        }
    }

    /// Each piece as places in the plan, and its estimated work.
    fn of(self, runs: &[PlannedRun]) -> Result<(Vec<Vec<usize>>, Vec<u64>)> {
        let Self::Cohorts(limit) = self else {
            return Ok(runs.iter().enumerate().map(|(place, run)| (vec![place], cost::work_units(&run.spec))).unzip());
        };
        let mut fitting: IndexMap<String, Vec<usize>> = IndexMap::new();
        for (place, run) in runs.iter().enumerate() {
            fitting.entry(serde_json::to_string(&train::shared(&run.spec))?).or_default().push(place);
        }
        let cohorts = fitting.values().flat_map(|places| places.chunks(limit));
        let work = |places: &[usize]| cost::on_gpu(places.iter().map(|&place| &*runs[place].spec)) * 1e6;
        Ok(cohorts.map(|places| (places.to_vec(), work(places) as u64)).unzip())
    }
}

/// The part of a plan that one process trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Everything.
    All,
    /// One of several parts of about equal size.
    Shard(Shard),
    /// One run by its place in the plan, counted from 1.
    Run(usize),
}

impl Share {
    /// What the flags ask for; `slurm` is looked up in the environment.
    pub fn choose(shard: Option<ShardChoice>, index: Option<IndexChoice>) -> Result<Self> {
        Ok(match (shard, index) {
            (Some(shard), _) => Self::Shard(shard.part()?),
            (None, Some(IndexChoice::Run(number))) => Self::Run(number),
            (None, Some(IndexChoice::Slurm)) => Self::Run(SlurmTask::here("--index slurm")?.index()?),
            (None, None) => Self::All,
        })
    }

    /// The places in a plan of this process's runs, in order.
    ///
    /// # Errors
    /// The plan has no run of the number asked for.
    pub fn places(self, runs: &[PlannedRun], pieces: Pieces) -> Result<Vec<usize>> {
        match self {
            Self::All => Ok((0..runs.len()).collect()),
            Self::Run(number) if (1..=runs.len()).contains(&number) => Ok(vec![number - 1]),
            Self::Run(number) => Err(input_error!("--index {number}: the runs are numbered from 1 to {}", runs.len())),
            Self::Shard(Shard { number, of }) => {
                let (pieces, work) = pieces.of(runs)?;
                let dealt = pieces.into_iter().zip(deal(&work, of)).filter(|(_, shard)| *shard == number - 1);
                let mut places: Vec<usize> = dealt.flat_map(|(places, _)| places).collect();
                places.sort_unstable();
                Ok(places)
            }
        }
    }
}

/// The runs of several experiments as one plan. A run that two of them name appears once.
pub fn whole_plan(plans: &[PlannedExperiment]) -> Vec<PlannedRun> {
    let mut seen = HashSet::new();
    let runs = plans.iter().flat_map(|(_, runs)| runs);
    runs.filter(|run| seen.insert((&run.experiment, &run.id))).cloned().collect()
}

/// Deals pieces of work to `shards` hands: the costliest piece first, each to the hand that has least so far. Returns
/// the hand of each piece. No hand gets more than 4/3 of the best possible (Graham's bound for this rule).
pub fn deal(work: &[u64], shards: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..work.len()).collect();
    order.sort_by_key(|&piece| Reverse(work[piece])); // stable: equal pieces in the plan's order
    // Of hands with equal loads the first is next, so that no more of them are ever used than there are pieces.
    let mut hands: BinaryHeap<Reverse<(u64, usize)>> =
        (0..shards.min(work.len())).map(|hand| Reverse((0, hand))).collect();
    let mut dealt = vec![0; work.len()];
    for piece in order {
        let Some(mut least) = hands.peek_mut() else { break };
        let Reverse((load, hand)) = &mut *least;
        dealt[piece] = *hand;
        *load = load.saturating_add(work[piece]);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shards_are_written_from_one() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        assert_eq!("slurm".parse(), Ok(ShardChoice::Slurm));
        for wrong in ["", "0/3", "4/3", "1", "1/", "/3", "-1/3", "1/3/5", "a/b", "1/0", "99999999999999999999/3"] {
            assert!(wrong.parse::<ShardChoice>().is_err(), "{wrong}");
        }
        assert_eq!("3".parse(), Ok(IndexChoice::Run(3)));
        for wrong in ["0", "-1", "x", ""] {
            assert!(wrong.parse::<IndexChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn equal_runs_are_dealt_in_turn() {
        assert_eq!(deal(&[5; 6], 3), [0, 1, 2, 0, 1, 2]);
        assert_eq!(deal(&[1, 9, 1, 9], 2), [0, 0, 1, 1]);
        assert_eq!(deal(&[5; 3], usize::MAX), [0, 1, 2]);
        assert_eq!(deal(&[0; 3], 9), deal(&[0; 3], 3));
        assert_eq!(deal(&[], 9), [0; 0]);
    }

    proptest! {
        #[test]
        fn every_piece_is_dealt_once_and_hands_are_balanced(work in prop::collection::vec(1u64..1000, 0..200), n in 1usize..20) {
            let hands = deal(&work, n);
            prop_assert_eq!(hands.len(), work.len());
            prop_assert!(hands.iter().all(|&hand| hand < n));
            let mut loads = vec![0; n];
            hands.iter().zip(&work).for_each(|(&hand, piece)| loads[hand] += piece);
            // The last piece of the fullest hand went to the emptiest one.
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            prop_assert!(most - least <= work.iter().copied().max().unwrap_or(0));
        }
    }
}
