//! No YAML file, Python literal, command line or saved state dict makes the readers of the authors' files panic.
//!
//! A few thousand inputs each; as many as `LANDSCAPE_FUZZ` says otherwise (`make fuzz`: a million).

use std::{
    fs::File,
    io::{Read, Write},
};

use contrastive_landscape::{
    authors::{CommandLine, Config, Script, literal, plan_of, yaml},
    record::read_torch_state,
};
use proptest::{prelude::*, test_runner::TestRunner};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

fn inputs() -> ProptestConfig {
    let cases = std::env::var("LANDSCAPE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Some of `words`, separated by blanks, and a few arbitrary characters, up to `most` pieces.
fn pieces(words: &'static str, arbitrary: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    let words: Vec<&str> = words.split(' ').collect();
    let piece = prop_oneof![4 => prop::sample::select(words).prop_map(String::from), 1 => arbitrary];
    prop::collection::vec(piece, 0..most)
}

/// Pieces of YAML and of Python, glued together.
fn yaml_like() -> impl Strategy<Value = String> {
    let words = ": : \n \n\u{a0} - ( ) , [ ] { } ' \" None True no ~ 1e-4 0.5 1_0 0x - + # &a *a !!int | > --- ... % \t \u{e9} \0 \
                 1e999 99999999999999999999 ? << nn lr p ws_noise_levels masking_probs batch_norm";
    (pieces(words, ".{0,4}", 24)).prop_map(|pieces| pieces.concat().replace('\u{a0}', "  "))
}

/// A key with a value, line by line, of theirs or made up: most of it is a configuration.
fn configuration() -> impl Strategy<Value = String> {
    let keys = "nn num_exp NUM_EPOCHES batch_size p d m lr has_online_ReLU has_target_ReLU sigma0 threshold z_dim \
                one_hot_latent batch_norm ws_noise_levels gaussian_noise_levels sparsity_levels masking_probs";
    let values = "0 1 2 3 10 50 100000000000 -1 0.5 1e-3 1e300 None True False (None,) (0.5,) (0,) (1,2,) (0.1,0.3) () \
                  (-1,) (1e999,) [0.2] encoder_pre_activation encoder_post_activation 'x'";
    let key = prop::sample::select(keys.split_whitespace().collect::<Vec<_>>());
    let value = prop::sample::select(values.split_whitespace().collect::<Vec<_>>());
    let line = (key, value).prop_map(|(key, value)| format!("{key}: {value}\n"));
    prop::collection::hash_set(line, 0..6).prop_map(|lines| lines.into_iter().collect())
}

fn flag_like() -> impl Strategy<Value = Vec<String>> {
    let words = "--cfg a.yaml --logDir x --model simplified --use_bn --use_ --lr -1 1e999 nan --lr= --= -- -  t False \
                 --log_metrics --seeds 1..5 5..1 --n_aug --e 0";
    pieces(words, ".{0,8}", 10)
}

/// A command line of known flags, most of whose values fit.
fn command_line() -> impl Strategy<Value = (Script, Vec<String>)> {
    let flags = "normalize_repr=t use_masking=t use_multimasking=t n_aug=0 n_aug=3 use_bn=t lr=0 lr=0.1 lr=-1 batch_size=0 \
                 batch_size=7 batch_size=99999999999 temperature=0.1 temperature=0 use_pred=t use_bias=f use_pred_bias=f \
                 m_identity=t use_alt_norm=t use_row_norm=t bias_val=0.1 bias_val=-1e300 const_bias clip_bias ema_decay=0.9 \
                 ema_decay=2 seeds=3 seeds=1..4 logDir=.. logDir=/ log_metrics";
    let flag = prop::sample::select(flags.split_whitespace().collect::<Vec<_>>());
    let script = prop::sample::select(Script::ALL.to_vec());
    (script, any::<prop::sample::Index>(), prop::collection::vec(flag, 0..8)).prop_map(|(script, model, flags)| {
        let model = model.get(script.models());
        let mut line = vec!["--cfg=a".into(), "--logDir=x/y".into(), format!("--model={model}")];
        line.extend(flags.into_iter().map(|flag| format!("--{flag}")));
        (script, line)
    })
}

/// Fewer inputs, where one takes longer than parsing a line.
fn fewer_inputs() -> ProptestConfig {
    ProptestConfig { cases: inputs().cases.min(20_000), ..inputs() }
}

proptest! {
    #![proptest_config(inputs())]

    #[test]
    fn configurations(text in prop_oneof![yaml_like(), configuration()]) {
        let _ = Config::parse(&text, "x.yaml");
    }

    #[test]
    fn literals(text in yaml_like()) {
        let _ = literal::python_literal(&text);
        let _ = yaml::load(&text);
    }

    #[test]
    fn floats_survive_python(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
        let text = literal::python_float(value);
        prop_assert_eq!(literal::python_literal(&text), serde_json::Number::from_f64(value).map(serde_json::Value::Number));
    }

    #[test]
    fn command_lines(arguments in flag_like(), script in prop::sample::select(Script::ALL.to_vec())) {
        let _ = CommandLine::parse(script, &arguments);
    }
}

proptest! {
    #![proptest_config(fewer_inputs())]

    /// What both readers let through is planned or refused.
    #[test]
    fn plans((script, arguments) in command_line(), text in configuration()) {
        if let (Ok(line), Ok(config)) = (CommandLine::parse(script, &arguments), Config::parse(&text, "x.yaml")) {
            let _ = plan_of(script, &line, config);
        }
    }
}

/// A saved state dict with bytes of its pickle replaced or cut off.
#[test]
fn saved_state_dicts() {
    let saved = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/final_model.pt");
    let mut archive = ZipArchive::new(File::open(saved).unwrap()).unwrap();
    let mut pickle = Vec::new();
    archive.by_name("final_model/data.pkl").unwrap().read_to_end(&mut pickle).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pt");
    let changes = (prop::collection::vec((0..pickle.len(), any::<u8>()), 0..6), 0..pickle.len());
    let tried = TestRunner::new(fewer_inputs()).run(&changes, |(replaced, end)| {
        let mut bytes = pickle.clone();
        replaced.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        // Half of them whole.
        let end = if end % 2 == 0 { bytes.len() } else { end };
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in [("x/data.pkl", &bytes[..end]), ("x/data/0", &[0; 24]), ("x/data/1", &[0; 8])] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        let _ = read_torch_state(&path);
        Ok(())
    });
    tried.unwrap();
}
