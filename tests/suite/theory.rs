//! The studies of the theorems as a whole: their options, their determinism, their verdicts.

use std::{fs, path::Path};

use anyhow::Result;
use contrastive_landscape::{
    spec::{InputError, Overrides},
    theory::{Check, Report, THEOREMS},
};

/// Runs a theorem with some of its options changed, on a number of threads; its report and all its tables.
fn run(name: &str, options: Option<&str>, sets: &[&str], threads: usize) -> Result<(Report, String)> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/theory").join(format!("{name}.yaml"));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("options.yaml");
    fs::write(&file, options.map_or_else(|| fs::read_to_string(shipped), |text| Ok(text.into()))?)?;
    let mut overrides = Overrides::default();
    sets.iter().try_for_each(|set| overrides.set(set))?;
    let theorem = THEOREMS.iter().find(|theorem| theorem.name == name).expect("a theorem");
    let (out, plots) = (folder.path().join("out"), folder.path().join("plots"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let report = pool.install(|| theorem.run(&file, &overrides, &out, &plots))?;
    assert!(report.figures.iter().all(|path| fs::metadata(path).is_ok_and(|file| file.len() > 1000)));
    assert!(out.join(format!("{name}.json")).exists());
    let tables = report.tables.iter().map(fs::read_to_string).collect::<std::io::Result<Vec<_>>>()?;
    Ok((report, tables.concat()))
}

/// Small versions of the studies.
const SMALL: [(&str, &[&str]); 3] = [
    (
        "theorem1",
        &[
            "witnesses={enumerated: [2, 5], samples: 500}",
            "optima={dimensions: [2, 5], matrices: 20}",
            "descent={dimensions: [2, 4], starts: 8, drawn: 4}",
            "neurons={dimension: 3, neurons: [3, 5], starts: 8}",
            "spectra={dimensions: [3], drawn: 3}",
            "paths.paths=3",
            "slice.points=21",
        ],
    ),
    ("theorem2", &["starts=3", "population.steps=200", "stochastic.sizes=[64, 1024]"]),
    (
        "theorem3",
        &[
            "starts=5",
            "inside.dimensions=[3]",
            "convergence={starts: 3, dimension: 3, dimensions: [3, 4]}",
            "sweeps={dimensions: [3], dimension_of_noises: 2, radii: [1, 20]}",
            "samples={dimension: 3, starts: 3, sizes: [500, 2000], sizes_of_levels: [500]}",
        ],
    ),
];

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for (name, sets) in SMALL {
        let (report, tables) = run(name, None, sets, 1).expect("a result");
        let (again, same_tables) = run(name, None, sets, 3).expect("a result");
        assert_eq!(report.checks, again.checks, "{name}");
        assert_eq!(report.observations, again.observations, "{name}");
        assert!(tables == same_tables, "{name}");
        // Slopes need more starts than these; everything else must hold.
        let failed = report.checks.iter().filter(|check| !check.holds && !check.name.starts_with("slope"));
        assert_eq!(failed.collect::<Vec<_>>(), Vec::<&Check>::new(), "{name}");
    }
}

#[test]
fn faults_of_options_are_named() {
    let fault = |name: &str, set: &str| {
        let error = run(name, None, &[set], 1).expect_err("a fault");
        assert!(error.downcast_ref::<InputError>().is_some(), "{error:#}");
        format!("{error:#}")
    };
    assert!(fault("theorem1", "optima.sizes=3").contains("--set optima.sizes=3: optima: unknown key `sizes`"));
    let impossible = fault("theorem1", "alpha=1.5");
    assert!(impossible.contains("options.yaml: alpha must lie"), "{impossible}");
    assert!(fault("theorem2", "p=4").contains("p and m"));
    assert!(fault("theorem3", "bias=-0.4").contains("bias"));
    let misspelt = "{label: x, normalization: rws, turns: alternating, directions: false}";
    let misspelt = fault("theorem3", &format!("sweeps.variants=[{misspelt}]"));
    assert!(misspelt.contains("did you mean `rows`?"), "{misspelt}");
    let error = run("theorem1", Some("title: x\nseed: 1\n"), &[], 1).expect_err("a key is missing");
    assert!(format!("{error:#}").contains("options.yaml") && format!("{error:#}").contains("alpha"), "{error:#}");
}
