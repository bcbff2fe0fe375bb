//! What a set of policies consists of: names and texts, canonical, named by a version.
//!
//! A set is every `*.cedar` file of a folder, the known `*.toml` files beside them, and `fixtures/*.toml`. Line ends are
//! made `\n` and the names sorted, so that the same files give the same version wherever they were checked out. The
//! schema and the floor belong to the program and are no part of it. Everything is bounded and searched for phone
//! numbers before anything else looks at it.

use std::collections::BTreeMap;
use std::path::Path;

use ring::digest;

use super::{PolicyError, SCHEMA, SCHEMA_FILE, beside};
use crate::phone;

/// The most files of a set.
const MAX_FILES: usize = 64;

/// The most bytes of a set, names and texts together.
const MAX_BYTES: usize = 512 * 1024;

/// The longest name of a file.
const MAX_NAME: usize = 80;

/// The folder of fixtures within a set.
pub(super) const FIXTURES: &str = "fixtures";

/// The files that come with the program.
const SHIPPED: &[(&str, &str)] = &[
    ("budgets.toml", include_str!("../../../policies/budgets.toml")),
    ("operators.toml", include_str!("../../../policies/operators.toml")),
    ("content.toml", include_str!("../../../policies/content.toml")),
    ("prices.toml", include_str!("../../../policies/prices.toml")),
    ("spend.toml", include_str!("../../../policies/spend.toml")),
    ("roles.cedar", include_str!("../../../policies/roles.cedar")),
    ("retention.toml", include_str!("../../../policies/retention.toml")),
    ("fixtures/roles.toml", include_str!("../../../policies/fixtures/roles.toml")),
    ("fixtures/reveals.toml", include_str!("../../../policies/fixtures/reveals.toml")),
];

/// A set of policies as texts: bounded, well named, free of numbers; not yet parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles(BTreeMap<String, String>);

impl PolicyFiles {
    /// The files that come with the program.
    pub fn shipped() -> Self {
        Self(SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), canonical(text))).collect())
    }

    /// The files of a folder.
    ///
    /// # Errors
    /// The first thing that is wrong, with file and mend.
    pub fn read(folder: &Path) -> Result<Self, PolicyError> {
        let mut files = read_folder(folder, "", |name| name.ends_with(".cedar") || name.ends_with(".toml"))?;
        if folder.join(SCHEMA_FILE).exists() {
            files.push((SCHEMA_FILE.to_owned(), read_file(&folder.join(SCHEMA_FILE), SCHEMA_FILE)?));
        }
        if folder.join(FIXTURES).is_dir() {
            files.extend(read_folder(&folder.join(FIXTURES), "fixtures/", |name| name.ends_with(".toml"))?);
        }
        if !files.iter().any(|(name, _)| name.ends_with(".cedar")) {
            return Err(PolicyError::Empty(folder.display().to_string()));
        }
        Self::of(files)
    }

    /// These files, as somebody sent them.
    ///
    /// # Errors
    /// [`PolicyError::File`] for a name or size that no set may have, [`PolicyError::OtherSchema`],
    /// [`PolicyError::NumberInText`], [`PolicyError::Empty`].
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, PolicyError> {
        let mut set = BTreeMap::new();
        let mut bytes = 0;
        for (name, text) in files {
            let text = canonical(&text);
            if name == SCHEMA_FILE {
                if text != SCHEMA {
                    return Err(PolicyError::OtherSchema);
                }
                continue;
            }
            check_name(&name)?;
            bytes += name.len() + text.len();
            if bytes > MAX_BYTES || set.len() >= MAX_FILES {
                let message = "a set of policies has at most 64 files and 512 KiB; make it smaller";
                return Err(PolicyError::file(&name, message));
            }
            if let Some(line) = text.lines().position(phone::contains_number) {
                return Err(PolicyError::NumberInText { file: name, line: line + 1 });
            }
            set.insert(name, text);
        }
        if set.keys().any(|name| name.ends_with(".cedar")) {
            Ok(Self(set))
        } else {
            Err(PolicyError::Empty(String::new()))
        }
    }

    /// The files in [`Self::to_json`].
    ///
    /// # Errors
    /// If that is no set that this version would take.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        let files: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|_| PolicyError::file("the store", "holds no set of policies there"))?;
        Self::of(files)
    }

    /// One JSON object of names and texts, names sorted, no white space.
    pub fn to_json(&self) -> String {
        // A map of strings into memory cannot fail.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The first 16 hex digits of the SHA-256 over the files' names and texts.
    pub fn version(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in self.iter().flat_map(|(name, text)| [name, text]) {
            // The length before each part, so that no two sets of files read alike.
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = data_encoding::HEXLOWER.encode(hash.finish().as_ref());
        digest.chars().take(16).collect()
    }

    /// One file's text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every file by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// `\n` at the end of each line.
fn canonical(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn check_name(name: &str) -> Result<(), PolicyError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    let (folder, file) = name.split_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let well_formed = name.len() <= MAX_NAME
        && !name.starts_with('/')
        && file.bytes().all(plain)
        && file.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !phone::contains_number(name);
    let known = match (folder, file.rsplit_once('.')) {
        ("", Some((_, "cedar"))) | (FIXTURES, Some((_, "toml"))) => true,
        ("", Some((_, "toml"))) => beside::knows(file),
        _ => false,
    };
    if well_formed && known {
        return Ok(());
    }
    let known = beside::names().collect::<Vec<_>>().join(", ");
    let shown = if well_formed { name } else { "a file" };
    let message = format!(
        "is no file of a set of policies; those are NAME.cedar, fixtures/NAME.toml{}{known}, with letters, digits, dot, \
         dash and underscore in NAME",
        if known.is_empty() { "" } else { ", " }
    );
    Err(PolicyError::file(shown, message))
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, String)>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // What editors leave behind (`.#roles.cedar`) is no policy.
        if !name.starts_with('.') && wanted(&name) {
            files.push((format!("{prefix}{name}"), read_file(&path, &name)?));
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, name: &str) -> Result<String, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES as u64 {
        return Err(PolicyError::file(name, "is larger than 512 KiB; make it smaller"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        PolicyError::Invalid {
            file: name.to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            message: "is not UTF-8; save the file as UTF-8".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PERMIT: &str = "permit (principal, action, resource);\n";

    fn of(files: &[(&str, &str)]) -> Result<PolicyFiles, PolicyError> {
        PolicyFiles::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    fn fault(files: &[(&str, &str)]) -> String {
        of(files).err().unwrap().to_string()
    }

    #[test]
    fn line_ends_and_order_make_no_other_version_but_every_name_and_text_does() {
        let one = of(&[("a.cedar", PERMIT), ("fixtures/b.toml", "")]).unwrap();
        let other = of(&[("fixtures/b.toml", ""), ("a.cedar", "permit (principal, action, resource);\r\n")]).unwrap();
        assert_eq!(one.version(), other.version());
        assert_eq!(one.version().len(), 16);
        assert_ne!(one.version(), of(&[("a.cedar", PERMIT)]).unwrap().version());
        assert_ne!(of(&[("b.cedar", PERMIT)]).unwrap().version(), of(&[("a.cedar", PERMIT)]).unwrap().version());
        assert_eq!(PolicyFiles::from_json(&one.to_json()).unwrap(), one);
    }

    #[test]
    fn a_file_that_no_set_has_is_refused_by_name() {
        for name in [
            "budget.toml",
            "notes.md",
            "../a.cedar",
            "a/b.cedar",
            "fixtures/a.cedar",
            "/a.cedar",
            ".a.cedar",
            "é.cedar",
            "",
        ] {
            let fault = fault(&[("a.cedar", PERMIT), (name, PERMIT)]);
            assert!(fault.contains("is no file of a set"), "{name}: {fault}");
        }
        assert!(of(&[("a.cedar", PERMIT), ("example.toml", "")]).is_ok(), "one that the registry knows");
    }

    #[test]
    fn a_name_that_holds_a_number_is_refused_and_not_repeated() {
        let fault = fault(&[("+12025550143.cedar", PERMIT)]);
        assert!(!fault.contains("2025550143"), "{fault}");
    }

    #[test]
    fn a_number_in_a_text_is_refused_by_line_and_not_repeated() {
        let text = format!("{PERMIT}// ask +44 7700 900123\n");
        let fault = fault(&[("a.cedar", &text)]);
        assert!(fault.starts_with("a.cedar:2: holds a phone number") && !fault.contains("900123"), "{fault}");
    }

    #[test]
    fn too_much_and_nothing_are_refused() {
        let long = "// ".repeat(MAX_BYTES / 3);
        assert!(fault(&[("a.cedar", &long)]).contains("512 KiB"));
        let many: Vec<_> = (0..=MAX_FILES).map(|n| (format!("p{n}.cedar"), PERMIT.to_owned())).collect();
        assert!(PolicyFiles::of(many).err().unwrap().to_string().contains("64 files"));
        assert!(matches!(of(&[]), Err(PolicyError::Empty(_))));
    }

    #[test]
    fn a_folder_is_read_with_its_fixtures_and_without_what_is_no_policy() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a.cedar", PERMIT.as_bytes());
        write("README.md", b"no policy");
        write(".#a.cedar", b"an editor's");
        write("examples/b.cedar", b"an example");
        write("fixtures/c.toml", b"");
        let names = |files: PolicyFiles| files.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(PolicyFiles::read(folder.path()).unwrap()), ["a.cedar", "fixtures/c.toml"]);
        write("bad.cedar", b"// fine\n// \xff\n");
        let fault = PolicyFiles::read(folder.path()).err().unwrap().to_string();
        assert!(fault.starts_with("bad.cedar:2: is not UTF-8"), "{fault}");
    }
}
