use std::{
    hash::{BuildHasher, Hasher, RandomState},
    path::PathBuf,
};

use anyhow::{Result, bail};

use crate::{
    aligned,
    certify::{Certificate, check, retrain},
    output::{self, say},
    record::Archive,
    runner::{self, Options, ProgressMode},
};

/// Write a certificate of the registered verdicts, or check one: are its rulings those of its runs, and its runs what it says?
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Check this certificate instead of writing one; needs no results
    #[arg(long, value_name = "FILE", conflicts_with_all = ["registered", "results", "out"])]
    check: Option<PathBuf>,

    /// Runs of the certificate to train again, drawn at random
    #[arg(long, value_name = "N", default_value_t = 0, requires = "check")]
    retrain: usize,

    /// Seed of that draw, to draw the same runs again [default: another each time]
    #[arg(long, value_name = "SEED", requires = "check")]
    draw: Option<u64>,

    /// The registered claims
    #[arg(long, value_name = "LIST", default_value = super::options::REGISTERED)]
    registered: PathBuf,

    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// The certificate to write
    #[arg(long, value_name = "FILE", default_value = "docs/certificate.json")]
    out: PathBuf,
}

impl Args {
    pub fn execute(self) -> Result<()> {
        let Some(file) = &self.check else {
            let certificate = Certificate::collect(&self.registered, &mut Archive::new(&self.results))?;
            if certificate.runs.is_empty() {
                bail!(
                    "none of the registered runs is recorded in {}; `landscape run --registered` trains them",
                    self.results.display()
                );
            }
            certificate.write(&self.out)?;
            return say!("{}: {} runs", self.out.display(), certificate.runs.len());
        };
        let certificate = Certificate::read(file)?;
        let mut findings = check(&certificate)?;
        if self.retrain > 0 {
            let draw = self.draw.unwrap_or_else(|| RandomState::new().build_hasher().finish());
            let signals = runner::Signals::listen()?;
            let options =
                Options { interrupt: signals.interrupt(), progress: ProgressMode::Auto, ..Options::new("results") };
            findings.extend(retrain(&certificate, self.retrain, draw, &options)?);
            say!("runs drawn by --draw {draw}")?;
        }
        let row = |finding: &crate::certify::Finding| {
            let verdict = if finding.holds { "yes" } else { "NO" };
            vec![finding.checked.clone(), verdict.into(), finding.found.clone()]
        };
        let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
        output::write(format_args!("{}", aligned::table(&["checked", "holds", "found"], &rows)))?;
        match findings.iter().filter(|finding| !finding.holds).count() {
            0 => Ok(()),
            wrong => bail!("{wrong} of {} checks of {} do not hold", findings.len(), file.display()),
        }
    }
}
