//! The report in a browser: it loads, writes nothing to the console, and its controls work.
//!
//! Needs Debian's `chromium` (or another, named by the variable CHROMIUM); skipped, with a reason, where there is none.

use std::{fs, path::Path, process::Command};

const EXPERIMENT: &str = "
title: A tiny experiment
paper: Figure 0
claim: It runs.
claims: [{ says: it ends high, above: 2 }]
base:
  data: { samples: 40, p: 12, d: 5 }
  model: { m: 9 }
  train: { epochs: 6, batch_size: 16 }
arms: { NCL: { method: ncl }, CL: { method: cl } }
seeds: 1..3
";

/// Clicks through the page and writes what it saw into the document's title.
const CLICKS: &str = r##"<script>
const seen = [];
const shown = (selector) => {
  const found = [...document.querySelectorAll(selector)].filter((e) => getComputedStyle(e).display !== "none");
  return found.length;
};
const see = (what) => seen.push(`${what}:min=${shown("g.min_cosine")},max=${shown("g.max_cosine")},seeds=${shown(".seed")},bands=${shown(".band")}`);
see("start");
document.querySelector("input[value=max_cosine]").click();
see("max");
document.querySelector("input[value=min_cosine]").click();
document.getElementById("seeds").click();
document.getElementById("bands").click();
see("seeds");
const before = getComputedStyle(document.body).backgroundColor;
document.getElementById("theme").click();
seen.push(`theme:${before !== getComputedStyle(document.body).backgroundColor}`);
const svg = document.querySelector(".chart svg");
const box = svg.getBoundingClientRect();
svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.right - 2, clientY: box.top + 5 }));
seen.push(`hover:${document.querySelector(".legend output").textContent}`);
seen.push(`wide:${document.documentElement.scrollWidth > innerWidth}`);
// Contents with somewhere to go, a picture on the first screen, nothing that must be scrolled sideways.
const links = [...document.querySelectorAll("#contents a")];
seen.push(`contents:${links.length > 2 && links.every((a) => document.getElementById(a.hash.slice(1)))}`);
const first = document.querySelector(".first svg").getBoundingClientRect();
seen.push(`picture:${first.width > 200 && first.bottom < innerHeight}`);
const clipped = [...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth + 1);
seen.push(`clipped:${clipped.length}`);
scrollTo(0, document.documentElement.scrollHeight);
seen.push(`sticky:${document.getElementById("controls").getBoundingClientRect().top}`);
document.title = "SEEN " + seen.join(" ");
</script>"##;

fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let candidates = named.into_iter().chain(["chromium", "chromium-browser", "google-chrome"].map(String::from));
    candidates.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()))
}

/// The page's title and the browser's messages after it has loaded.
fn browse(chromium: &str, page: &Path, width: u32) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
    (title.to_string(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: no chromium; `apt-get install chromium`, or name one by CHROMIUM");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.yaml"), EXPERIMENT).unwrap();
    let landscape = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("landscape").unwrap();
        command.current_dir(&folder).args(arguments).assert().success();
    };
    landscape(&["run", "tiny.yaml"]);
    landscape(&["report", "tiny.yaml"]);
    let html = fs::read_to_string(folder.path().join("docs/reproduction.html")).unwrap();
    let page = folder.path().join("clicked.html");
    fs::write(&page, html.replace("</body>", &format!("{CLICKS}</body>"))).unwrap();
    for width in [1280, 390] {
        let (title, messages) = browse(&chromium, &page, width);
        assert!(!messages.contains("CONSOLE"), "the console says: {messages}");
        for seen in [
            "start:min=2,max=0,seeds=0,bands=16",
            "max:min=0,max=2,seeds=0,bands=16",
            "seeds:min=2,max=0,seeds=12,bands=0",
            "theme:true",
            " at 6",
            "wide:false",
            "contents:true",
            "picture:true",
            "clipped:0",
            "sticky:0",
        ] {
            assert!(title.contains(seen), "{seen} at {width} pixels: {title}");
        }
    }
}
