//! The house's arrows: every `use crate::` line points down, and no two rooms use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the top. A room may use rooms of lower floors, and on its own floor as far as no circle comes about.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["pages", "api", "worker"],
    &[
        "rights", "outreach", "relay", "verify", "webhook", "alias", "dispatch", "vault", "access", "keyring", "guard",
        "audit",
    ],
    &["store", "carrier", "tls"],
    &["telemetry", "process"],
    &["event", "token", "phone", "crypto", "message", "signing", "ids", "config", "clock"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The room a file belongs to: its top-level module.
fn room(path: &Path, src: &Path) -> String {
    let inside = path.strip_prefix(src).expect("below src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that the non-test part of a text names after `crate::` (or, in the binary, `bauta::`).
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut rooms = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for prefix in ["crate::", "bauta::"] {
            for (at, _) in line.match_indices(prefix) {
                let rest = &line[at + prefix.len()..];
                if let Some(group) = rest.strip_prefix('{') {
                    rooms.extend(group.split(',').map(|part| name(part.trim())));
                } else {
                    rooms.insert(name(rest));
                }
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

fn arrows(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut paths = Vec::new();
    files(src, &mut paths);
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in paths.iter().filter(|path| !path.ends_with("lib.rs")) {
        let from = room(path, src);
        let text = fs::read_to_string(path).expect("readable");
        let to = used(&text).into_iter().filter(|to| *to != from);
        arrows.entry(from.clone()).or_default().extend(to);
    }
    arrows
}

fn wrong(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in arrows {
        let Some(here) = floor(from) else {
            wrong.push(format!("{from} is on no floor"));
            continue;
        };
        for to in targets {
            match floor(to) {
                None => wrong.push(format!("{from} uses {to}, which is on no floor")),
                Some(there) if there < here => wrong.push(format!("{from} points up to {to}")),
                Some(_) if reaches(arrows, to, from, &mut BTreeSet::new()) => {
                    wrong.push(format!("{from} and {to} use each other"));
                }
                Some(_) => {}
            }
        }
    }
    wrong
}

fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
    seen.insert(from.to_owned())
        && arrows.get(from).is_some_and(|next| next.contains(to) || next.iter().any(|n| reaches(arrows, n, to, seen)))
}

#[test]
fn arrows_only_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let arrows = arrows(&src);
    assert!(arrows.len() > 15, "the house was found: {arrows:?}");
    assert_eq!(wrong(&arrows), Vec::<String>::new());
}

#[test]
fn an_arrow_up_and_a_circle_would_be_seen() {
    let up = used("use crate::api::problem;\n// use crate::cli;\n#[cfg(test)]\nmod t { use crate::app; }");
    assert_eq!(up, BTreeSet::from(["api".to_owned()]));
    assert!(!wrong(&BTreeMap::from([("vault".to_owned(), up)])).is_empty());
    let circle = BTreeMap::from([
        ("vault".to_owned(), used("use crate::{keyring::Keyring, clock};")),
        ("keyring".to_owned(), used("use crate::guard::Guard;")),
        ("guard".to_owned(), used("let v = crate::vault::Vault::new();")),
    ]);
    assert_eq!(wrong(&circle).len(), 3);
}

#[test]
fn a_number_is_exposed_only_where_a_door_is() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&src, &mut paths);
    let allowed = ["phone", "vault", "carrier", "cli"];
    for path in paths {
        let text = fs::read_to_string(&path).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        // The one file of its room that asks who serves a number.
        let is_named = path.ends_with("dispatch/portability.rs");
        if !is_test && !is_named && code.contains(".expose(") {
            assert!(allowed.contains(&room(&path, &src).as_str()), "{} opens a door of its own", path.display());
        }
    }
}

#[test]
fn the_project_stands_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "docs", "policies", "benches"] {
        let mut paths = Vec::new();
        files(&root.join(folder), &mut paths);
        for path in paths {
            let text = fs::read_to_string(&path).expect("readable");
            assert!(!text.contains(concat!("../", "shared")), "{} leans on what a clone does not have", path.display());
        }
    }
}
