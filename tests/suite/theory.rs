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
            "limit={dimensions: [3], temperatures: [0.2, 0.61, 0.63], starts: 8}",
            "arcs={dimension: 3, points: 8}",
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
fn the_page_says_of_the_theorems_what_the_checks_say() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/theory.md")).expect("the page");
    let rows: Vec<Vec<&str>> =
        page.lines().map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect()).collect();
    let mut refuted = vec![];
    for (name, sets) in SMALL {
        let (report, _) = run(name, None, sets, 2).expect("a result");
        assert!(!report.verdicts.is_empty());
        for verdict in report.verdicts {
            let row = rows.iter().find(|row| row[0] == verdict.statement);
            let row = row.unwrap_or_else(|| panic!("docs/theory.md has no row for {}", verdict.statement));
            assert_eq!((row[1], row[2], row[4]), (verdict.printed, verdict.checked, verdict.repair));
            assert_eq!(row[3].starts_with("holds: "), verdict.holds, "{}", verdict.statement);
            if !verdict.holds {
                assert!(row[3].starts_with("counterexample: "), "{}", verdict.statement);
                refuted.push(verdict.statement);
            }
        }
    }
    assert_eq!(refuted.len(), 6, "{refuted:?}");
}

#[test]
fn a_repaired_setting_refutes_nothing() {
    // The verdicts are measured: at settings that fulfil the missing hypotheses, the theorems as printed hold.
    let holds = |name: &str, sets: &[&str], statement: &str| {
        let small = SMALL.iter().find(|(other, _)| *other == name).expect("a theorem").1;
        let (report, _) = run(name, None, &[small, sets].concat(), 2).expect("a result");
        report.verdicts.iter().find(|verdict| verdict.statement == statement).expect("a verdict").holds
    };
    let limit = "limit={dimensions: [3], temperatures: [0.63, 1.0], starts: 8}";
    assert!(holds("theorem1", &[limit], "Theorem 1 (b), as the limit of Eq. 9"));
    assert!(holds("theorem3", &["hypothesis.alphas=[0.5]"], "Theorem 3"));
    assert!(holds("theorem2", &["coefficients.rate=1"], "Theorem 2, as gradient descent on Eq. 13"));
}

#[test]
fn faults_of_options_are_named() {
    let fault = |name: &str, set: &str| {
        let error = run(name, None, &[set], 1).expect_err("a fault");
        assert!(error.downcast_ref::<InputError>().is_some(), "{error:#}");
        format!("{error:#}")
    };
    // The same without the flag: by file and line.
    let in_file = |name: &str, from: &str, to: &str| {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/theory").join(format!("{name}.yaml"));
        let text = fs::read_to_string(shipped).expect("the options");
        let line = text.lines().position(|line| line.contains(from)).expect("the key") + 1;
        let error = run(name, Some(&text.replacen(from, to, 1)), &[], 1).expect_err("a fault");
        (line, format!("{error:#}"))
    };
    let (line, error) = in_file("theorem1", "alpha: 0.5", "alpha: 1.5");
    assert!(error.contains(&format!("options.yaml:{line}: alpha: must lie between 0.01 and 1, not 1.5")), "{error}");
    let (line, error) = in_file("theorem2", "sizes: [64,", "sizes: [0,");
    assert!(error.contains(&format!("options.yaml:{line}: stochastic.sizes: must lie between 1 and")), "{error}");
    let (line, error) = in_file("theorem3", "dimension_of_noises: 3", "dimension_of_noises: 8");
    assert!(
        error.contains(&format!("options.yaml:{line}: sweeps.dimension_of_noises: must lie between 2 and 5")),
        "{error}"
    );
    assert!(fault("theorem1", "descent.drawn=5").starts_with("--set descent.drawn=5: descent.drawn: must be one of ["));
    assert!(
        fault("theorem1", "optima.dimensions=[]").starts_with("--set optima.dimensions=[]: optima.dimensions: give")
    );
    assert!(fault("theorem1", "neurons.neurons=[8, 4]").contains("neurons.neurons: must lie between 8 and 256, not 4"));
    assert!(fault("theorem1", "limit.temperatures=[.nan]").contains("not a finite number"));
    assert!(fault("theorem2", "rates.decay=1").contains("rates.decay: must be at least 0 and below 1, not 1"));
    assert!(fault("theorem3", "starts=0").contains("--set starts=0: starts: must lie between 1"));
    assert!(fault("theorem3", "sweeps.radii=[0.5, 0]").contains("sweeps.radii: must be a positive number, not 0"));
    assert!(fault("theorem1", "optima.sizes=3").contains("--set optima.sizes=3: optima: unknown key `sizes`"));
    assert!(fault("theorem2", "p=4").contains("--set p=4: p: must be at least d = 5, not 4"));
    assert!(fault("theorem3", "bias=-0.4").contains("bias"));
    let misspelt = "{label: x, normalization: rws, turns: alternating, directions: false}";
    let misspelt = fault("theorem3", &format!("sweeps.variants=[{misspelt}]"));
    assert!(misspelt.contains("did you mean `rows`?"), "{misspelt}");
    let error = run("theorem1", Some("title: x\nseed: 1\n"), &[], 1).expect_err("a key is missing");
    assert!(format!("{error:#}").contains("options.yaml") && format!("{error:#}").contains("alpha"), "{error:#}");
}
