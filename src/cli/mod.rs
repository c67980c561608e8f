//! The command line: one file per subcommand, no logic of its own.

mod authors;
mod bench;
mod ceilings;
mod certify;
mod claims;
mod completions;
mod config;
#[cfg(feature = "torch")]
mod crosscheck;
mod doctor;
mod export;
mod faults;
mod figures;
mod losses;
mod man;
mod methods;
#[cfg(not(feature = "torch"))]
mod needs_torch;
mod options;
mod plot;
mod query;
mod report;
mod results;
mod run;
mod schema;
#[cfg(feature = "torch")]
mod slice;
mod slurm;
mod status;
mod theory;

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgAction, Parser, Subcommand};
use log::LevelFilter;

#[cfg(not(feature = "torch"))]
use self::{needs_torch as crosscheck, needs_torch as slice};
use crate::{
    device, logs, output,
    runner::{self, Interrupted, LostDevice},
    spec::InputError,
};

/// Contrastive and non-contrastive learning on sparse-coding data: the experiments of Pokle, Tian, Li and Risteski
/// (AISTATS 2022), reproduced, and a laboratory for new ones.
#[derive(Debug, Parser)]
#[command(name = "landscape", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Say more: runs as they begin and end; twice, checkpoints and plans too; three times, every measurement
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Say nothing but errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Cli {
    /// What is asked for; none where RUST_LOG is to say.
    fn level(&self) -> Option<LevelFilter> {
        match (self.quiet, self.verbose) {
            (true, _) => Some(LevelFilter::Error),
            (_, 0) => None,
            (_, 1) => Some(LevelFilter::Info),
            (_, 2) => Some(LevelFilter::Debug),
            (_, 3..) => Some(LevelFilter::Trace),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Authors(authors::Args),
    Crosscheck(crosscheck::Args),
    Figures(figures::Args),
    Claims(claims::Args),
    Certify(certify::Args),
    Ceilings(ceilings::Args),
    Report(report::Args),
    Config(config::Args),
    Methods(methods::Args),
    Losses(losses::Args),
    Schema(schema::Args),
    Plot(plot::Args),
    Query(query::Args),
    Results(results::Args),
    Export(export::Args),
    Slice(slice::Args),
    Theory(theory::Args),
    Status(status::Args),
    Slurm(slurm::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(man::Args),
    Bench(bench::Args),
    #[command(hide = true)]
    BenchSide(bench::SideArgs),
}

/// Runs the program: exit code 0 for success, 2 for wrong input, 75 for a sweep that was asked to stop, or whose GPU broke,
/// and that goes on when it is run again, 74 and 76 for one that was stopped, or whose GPU broke, before anything was saved,
/// 1 for anything else that fails.
pub fn main() -> ExitCode {
    let tf32 = device::tf32();
    // SAFETY: these are the program's first statements but one, and its only thread.
    unsafe {
        device::forbid_tf32();
        std::env::remove_var("RUST_MIN_STACK"); // threads have the stacks that the code was tested with
    }
    let result = match Cli::try_parse() {
        Ok(cli) => {
            logs::start_logger(cli.level());
            if let Some(variable) = tf32 {
                log::info!("{variable} is passed over: matrix products are in full single precision");
            }
            runner::survive_large_files().and_then(|()| execute(cli.command))
        }
        // What was asked for, help and versions, goes the way of all other answers.
        Err(help) if !help.use_stderr() => output::with(|| help.print()),
        Err(error) => error.exit(),
    };
    exit_code(result.and_then(|()| output::finish()))
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => args.execute(),
        Command::Authors(args) => args.execute(),
        Command::Crosscheck(args) => args.execute(),
        Command::Figures(args) => args.execute(),
        Command::Claims(args) => args.execute(),
        Command::Certify(args) => args.execute(),
        Command::Ceilings(args) => args.execute(),
        Command::Report(args) => args.execute(),
        Command::Config(args) => args.execute(),
        Command::Methods(args) => args.execute(),
        Command::Losses(args) => args.execute(),
        Command::Schema(args) => args.execute(),
        Command::Plot(args) => args.execute(),
        Command::Query(args) => args.execute(),
        Command::Results(args) => args.execute(),
        Command::Export(args) => args.execute(),
        Command::Slice(args) => args.execute(),
        Command::Theory(args) => args.execute(),
        Command::Status(args) => args.execute(),
        Command::Slurm(args) => args.execute(),
        Command::Doctor(args) => args.execute(),
        Command::Completions(args) => args.execute(),
        Command::Man(args) => args.execute(),
        Command::Bench(args) => args.execute(),
        Command::BenchSide(args) => args.execute(),
    }
}

/// Tells what failed.
fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logs::complain(format_args!("error: {error:#}"));
            let is = |test: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(test);
            if is(|cause| cause.is::<InputError>()) {
                ExitCode::from(2)
            } else if let Some(interrupted) = error.chain().find_map(|cause| cause.downcast_ref::<Interrupted>()) {
                ExitCode::from(interrupted.exit_code())
            } else if let Some(lost) = error.chain().find_map(|cause| cause.downcast_ref::<LostDevice>()) {
                ExitCode::from(lost.exit_code())
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_agrees_with_itself() {
        Cli::command().debug_assert();
    }
}
