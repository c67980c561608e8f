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
    assert!(
        svg.contains("#009e73") && svg.contains("#d55e00") && !svg.contains("#0072b2"),
        "the file's colour, the method's"
    );
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

/// PDF, pictures of a size, several columns in a panel; each under a name of its own, but for the kind of file.
#[test]
fn files_sizes_and_panels_are_as_asked_for() {
    let bench = trained();
    bench.landscape(&["plot", "tiny.yaml", "--format", "pdf"]).success().stdout(predicate::str::contains("tiny.pdf"));
    let pdf = fs::read(bench.path("plots/tiny.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() < 200_000, "{} bytes", pdf.len());
    bench.landscape(&["plot", "tiny.yaml", "--size", "900x700"]).success();
    let png = fs::read(bench.path("plots/tiny-size-900x700.png")).unwrap();
    assert_eq!((&png[16..20], &png[20..24]), (&900u32.to_be_bytes()[..], &700u32.to_be_bytes()[..]));
    let refused = |flags: &[&str], says: &str| {
        let all = [&["plot", "tiny.yaml"], flags].concat();
        bench.landscape(&all).code(2).stderr(predicate::str::contains(says.to_string()));
    };
    refused(&["--size", "900"], "is not a size");
    refused(
        &["--size", "8000x300", "--panels", "loss,loss,loss,loss,loss,loss"],
        "--size: at this width, the picture needs",
    );
    refused(&["--format", "gif"], "[possible values: png, svg, pdf]");
    refused(&["--format", "pdf", "--svg"], "cannot be used with");
    refused(&["--panels", "cosine"], "did you mean `cosines`?");

    bench.landscape(&["plot", "tiny.yaml", "--svg", "--panels", "cosines,wo_norm+wt_norm"]).success();
    let svg = fs::read_to_string(bench.path("plots/tiny-panels-cosines-wo-norm-wt-norm.svg")).unwrap();
    for words in ["CL, sparsity 0.2: minimum", "CL, sparsity 0.2: maximum", "the span alone,", "without negatives"] {
        assert!(svg.contains(words), "{words}");
    }
    let tiny = fs::read_to_string(bench.path("tiny.yaml")).unwrap();
    fs::write(bench.path("tiny.yaml"), format!("{tiny}panels: [cosines, [loss, loss_mean]]\n")).unwrap();
    bench.landscape(&["plot", "tiny.yaml", "--svg"]).success();
    assert!(fs::read_to_string(bench.path("plots/tiny.svg")).unwrap().contains("CL, sparsity 0.2: median"));
    fs::write(bench.path("tiny.yaml"), format!("{tiny}panels: [cosines, [loss, los]]\n")).unwrap();
    bench.landscape(&["plot", "tiny.yaml"]).code(2).stderr(predicate::str::contains("panels[1]: unknown column `los`"));
}

/// A method has its colour whatever stands beside it, and every contrastive loss has one of its own.
#[test]
fn a_method_has_one_colour_in_all_pictures() {
    use contrastive_landscape::{
        figures::hue,
        losses::LossSpec,
        spec::{Family, RunSpec},
    };
    let mut inks = std::collections::BTreeMap::new();
    for loss in LossSpec::all() {
        let Ok(spec) = format!("{{method: cl, loss: {{kind: {}}}}}", loss.kind()).parse::<RunSpec>() else { continue };
        assert_eq!(spec.model.family, Family::Contrastive);
        inks.entry(hue(&spec) as usize).or_insert_with(Vec::new).push(loss.kind());
    }
    assert!(inks.len() >= 8);
    let shared: Vec<_> = inks.values().filter(|losses| losses.len() > 1).collect();
    assert_eq!(shared, [&["nt_xent", "asymmetric_nt_xent"]], "in figures/hue.rs, a loss needs a colour of its own");
}

/// Sides of an overlay differ in their shade and in their legend, also by a setting of one side alone.
#[test]
fn overlays_can_be_told_apart() {
    let bench = trained();
    let overlay = ["plot", "tiny.yaml", "--svg", "--overlay", "rates", "--beside", "train.lr=0.5"];
    bench.landscape(&overlay).code(1).stderr(predicate::str::contains("is not recorded"));
    bench.landscape(&["run", "tiny.yaml", "--set", "train.lr=0.5"]).success();
    bench.landscape(&overlay).success();
    let svg = fs::read_to_string(bench.path("plots/rates.svg")).unwrap();
    assert!(svg.contains(">\nCL, sparsity 0.2\n<") && svg.contains("CL, sparsity 0.2, train.lr=0.5"), "{svg}");
    assert!(!svg.contains("tiny: "), "one experiment alone is not named");
    bench.landscape(&["plot", "tiny.yaml", "--beside", "train.lr=0.5"]).code(2);
}
