//! Pictures of curves as the command line and an experiment's file want them.

use std::fs;

use predicates::prelude::*;

use crate::workbench::Workbench;

fn trained() -> Workbench {
    let bench = Workbench::new(tiny!(
        "3",
        "arms:\n  NCL: { method: ncl }\n  CL: { method: cl }\ngrid:\n  data.latents.sparsity: [0.2]\nseeds: 1..2\n\
         look:\n  NCL: { label: without negatives, color: green }\n"
    ));
    bench.landscape(&["run", "tiny.yaml"]).success();
    bench
}

#[test]
fn arms_are_called_and_coloured_as_the_file_says() {
    let bench = trained();
    bench.landscape(&["plot", "tiny.yaml", "--svg"]).success();
    let svg = fs::read_to_string(bench.path("plots/tiny.svg")).unwrap().to_lowercase();
    assert!(svg.contains("without negatives, sparsity 0.2") && svg.contains("cl, sparsity 0.2"));
    assert!(svg.contains("#009e73") && svg.contains("#d55e00") && !svg.contains("#0072b2"));
    let tiny = fs::read_to_string(bench.path("tiny.yaml")).unwrap();
    for (wrong, says) in [
        (tiny.replace("  NCL: { label", "  NLC: { label"), "unknown arm `NLC`; valid: NCL, CL"),
        (tiny.replace("color: green", "color: gren"), "did you mean `green`?"),
    ] {
        fs::write(bench.path("wrong.yaml"), wrong).unwrap();
        bench.landscape(&["plot", "wrong.yaml"]).code(2).stderr(predicate::str::contains(says));
    }
}

#[test]
fn panels_and_axes_are_as_the_command_line_says_and_replace_no_picture() {
    let bench = trained();
    let flags = ["--panels", "wo_norm,loss", "--log-y", "--log-x", "--x-range", "1..2"];
    bench.landscape(&[&["plot", "tiny.yaml", "--svg"][..], &flags].concat()).success();
    assert!(!bench.path("plots/tiny.svg").exists());
    let name = "tiny-panels-wo-norm-loss-log-x-log-y-x-range-1..2.svg";
    let svg = fs::read_to_string(bench.path("plots").join(name)).unwrap();
    assert!(!svg.contains("max-cosine"), "only the panels that were asked for");
    bench.landscape(&["plot", "tiny.yaml", "--svg", "--y-range=-1..2"]).success();
    assert!(bench.path("plots/tiny-y-range-1..2.svg").exists());
    let refused = |flags: &[&str], says: &str| {
        let all = [&["plot", "tiny.yaml"], flags].concat();
        bench.landscape(&all).code(2).stderr(predicate::str::contains(says.to_string()));
    };
    refused(&["--panels", "los"], "los");
    refused(&["--x-range", "2..1"], "is not a range");
    bench
        .landscape(&["plot", "tiny.yaml", "--x-range", "7..9"])
        .code(1)
        .stderr(predicate::str::contains("at the epochs shown"));
}
