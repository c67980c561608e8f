use std::{
    num::NonZero,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    authors::{
        self, CommandLine, Script, argparse::Flag, check_data_model, command_line, equivalent_lines, install_shim,
    },
    export,
    figures::Drawing,
    input_error,
    logs::tell,
    output::{self, say},
    record,
    runner::{self, DeviceChoice, EngineChoice, Options, ProgressMode},
    spec::{PlannedRun, unknown},
};

/// Do what a script of the authors' repository does: same flags, same configuration, same numbers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landscape authors main.py --cfg config/overpara_nopre_alter.yaml --logDir results/simplified --model simplified
  landscape authors main.py --help
  PATH=\"$(landscape authors --install-shim shim):$PATH\" bash scripts/cl_vs_ncl_ksparse.sh")]
pub struct Args {
    /// main.py, main_simclr.py, main_simsiam.py or check_data_model.py, and its flags
    #[arg(value_name = "SCRIPT", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,

    /// Write a `python` into DIR that runs their scripts through this program; prints the folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    install_shim: Option<PathBuf>,

    /// Print one of their shell scripts with its calls turned into calls of this program
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "install_shim"])]
    print_script: Option<PathBuf>,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        if let Some(folder) = self.install_shim {
            let python = install_shim(&folder)?;
            return say!("{}", python.parent().unwrap_or(&folder).display());
        }
        if let Some(file) = self.print_script {
            let text = std::fs::read_to_string(&file);
            let text = text.map_err(|error| input_error!("--print-script {}: {error}", file.display()))?;
            return output::write(format_args!("{}", equivalent_lines(&text)));
        }
        let Some((name, arguments)) = self.command.split_first() else {
            return Err(input_error!("name one of the authors' scripts: {}", names().join(", ")));
        };
        let wants_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
        if name.rsplit('/').next() == Some("check_data_model.py") {
            if wants_help {
                return print_help("check_data_model.py", &[], authors::CHECK_FLAGS, authors::CHECK_OURS);
            }
            let checked = check_data_model(arguments)?;
            if let Some(step) = checked.theirs_stops_at {
                tell(format_args!(
                    "the published script stops at step {step}: it compares W, not its transpose, with M"
                ));
            }
            return say!("{}", checked.picture.display());
        }
        let script = Script::of(name).ok_or_else(|| input_error!("{}", unknown("script", name, &names())))?;
        if wants_help {
            return print_help(script.name(), script.models(), command_line::THEIRS, command_line::OURS);
        }
        train(script, &CommandLine::parse(script, arguments)?)
    }
}

fn names() -> Vec<&'static str> {
    Script::ALL.iter().map(|script| script.name()).chain(["check_data_model.py"]).collect()
}

fn train(script: Script, line: &CommandLine) -> Result<()> {
    let plan = authors::plan(script, line)?;
    let todo = plan.todo(line.ours.force);
    if line.ours.dry_run {
        return dry_run(&plan, &todo);
    }
    plan.create_folder()?;
    let mut options = Options {
        device: line.ours.device.unwrap_or(DeviceChoice::Cpu),
        engine: line.ours.engine.unwrap_or(EngineChoice::Autograd),
        force: true,
        resume: !line.ours.force,
        progress: ProgressMode::Auto,
        ..Options::new(&plan.results)
    };
    if let Some(jobs) = line.ours.jobs {
        options.jobs = jobs.get();
    }
    options.cohort = line.ours.cohort.map(NonZero::get);
    let kept: Vec<&PlannedRun> = plan.runs.iter().filter(|run| !todo.iter().any(|other| other.id == run.id)).collect();
    if !kept.is_empty() {
        tell(format_args!("{} of {} runs are recorded with these settings already", kept.len(), plan.runs.len()));
        let by_other_code = record::made_by_other_code(&plan.results, kept.iter().copied());
        if by_other_code > 0 {
            tell(super::run::kept_from_other_code(by_other_code));
        }
    }
    if !todo.is_empty() {
        super::run::train(&todo, &options, kept.len()).with_context(|| format!("in {}", line.log_dir.display()))?;
    }
    write_val_dicts(&plan, &todo)?;
    match &line.ours.plots {
        Some(folder) => draw(&plan, script, line, folder),
        None => Ok(()),
    }
}

/// Draws the curves of all runs of the plan, named after `--logDir`.
fn draw(plan: &authors::Plan, script: Script, line: &CommandLine, folder: &Path) -> Result<()> {
    let drawing = Drawing { results: plan.results.clone(), plots: folder.to_path_buf(), ..Drawing::default() };
    let name = line.log_dir.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("{} --model {}", script.name(), line.model);
    let files = drawing.draw_runs(&name, &title, &plan.runs, |run| plan.curve(run))?;
    files.iter().try_for_each(|path| say!("{}", path.display()))
}

/// Writes what their scripts pickle beside each record: of the runs just trained, and where it is missing.
fn write_val_dicts(plan: &authors::Plan, trained: &[PlannedRun]) -> Result<()> {
    for run in &plan.runs {
        let folder = record::run_folder(&plan.results, run);
        let is_new = trained.iter().any(|other| other.id == run.id);
        if !is_new && folder.join(export::VAL_DICT).exists() {
            continue;
        }
        match export::val_dict(&folder, run.start.as_deref()) {
            // A record that another version made may have drawn otherwise.
            Err(error) if !is_new => log::warn!("{}: no {}: {error:#}", folder.display(), export::VAL_DICT),
            written => drop(written.with_context(|| format!("in {}", folder.display()))?),
        }
    }
    Ok(())
}

fn dry_run(plan: &authors::Plan, todo: &[PlannedRun]) -> Result<()> {
    let mut work = 0.0;
    for run in &plan.runs {
        let is_todo = todo.iter().any(|other| other.id == run.id);
        work += if is_todo { runner::work(&run.spec) } else { 0.0 };
        let state = if is_todo { "to train" } else { "recorded" };
        say!("{state}  {run}  {}", runner::steps_text(&run.spec))?;
    }
    let left = runner::human_seconds(work);
    let recorded = plan.runs.len() - todo.len();
    say!("{} runs, {recorded} recorded, an estimated {left} of work left for one CPU core", plan.runs.len())
}

fn print_help(script: &str, models: &[&str], theirs: &[Flag], ours: &[Flag]) -> Result<()> {
    say!("Usage: landscape authors {script} --cfg FILE --logDir DIR [FLAGS]\n")?;
    if !models.is_empty() {
        say!("Models: {}\n", models.join(", "))?;
    }
    for (title, group) in [("The authors' flags", theirs), ("Ours", ours)] {
        say!("{title}:")?;
        for flag in group {
            let usage = format!("--{} {}", flag.name, flag.value.unwrap_or_default());
            say!("  {usage:24} {}", flag.help)?;
        }
        say!("")?;
    }
    Ok(())
}
