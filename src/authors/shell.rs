//! The authors' shell scripts, which call `python main.py ...`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Script;

/// Writes a `python` into `folder` that hands the authors' scripts to this program and everything else to the next
/// `python` on the PATH. With `folder` first on the PATH, their shell scripts run through this program unchanged.
pub fn install_shim(folder: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program's own path")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let path = folder.join("python");
    let names: Vec<&str> = Script::ALL.iter().map(|script| script.name()).collect();
    let text = format!(
        "#!/bin/sh\n\
         # Hands the training scripts of contrastive_landscape to landscape, and everything else to the next python.\n\
         case \"${{1##*/}}\" in\n\
         {}|check_data_model.py) exec {} authors \"$@\" ;;\n\
         esac\n\
         PATH=$(printf '%s' \"$PATH\" | tr ':' '\\n' | grep -vxF -- {} | paste -sd: -)\n\
         exec python \"$@\"\n",
        names.join("|"),
        quoted(&program),
        quoted(&folder),
    );
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// For `sh`.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// The text of a shell script with its calls of the authors' scripts turned into calls of this program.
pub fn equivalent_lines(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words = line.trim_start();
        let call = ["python ", "python3 "].iter().find_map(|python| words.strip_prefix(python));
        let script = call.and_then(|call| call.split_whitespace().next());
        let is_theirs = script.is_some_and(|name| Script::of(name).is_some() || name.ends_with("check_data_model.py"));
        match call {
            Some(call) if is_theirs => out.push_str(&format!("landscape authors {call}")),
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_their_calls_change() {
        let script =
            "#!/bin/bash\npython main.py --cfg a.yaml --use_bn True\npython other.py\npython3 x/main_simclr.py --cfg b";
        let lines = "#!/bin/bash\nlandscape authors main.py --cfg a.yaml --use_bn True\npython other.py\n\
                     landscape authors x/main_simclr.py --cfg b\n";
        assert_eq!(equivalent_lines(script), lines);
    }
}
