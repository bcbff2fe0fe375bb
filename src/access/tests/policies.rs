//! What is refused when policies are loaded, and what a failing policy does.

use std::path::Path;

use super::*;

const PERMIT_ALL: &str = "permit (principal, action, resource);\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn fault(files: &[(&str, &str)]) -> String {
    Policies::load(Some(folder(files).path())).expect_err("refused").to_string()
}

#[test]
fn the_folder_that_ships_is_what_the_program_carries() {
    let shipped = Policies::load(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"))).unwrap();
    let carried = Policies::load(None).unwrap();
    assert_eq!(shipped.version(), carried.version());
    assert_eq!(carried.version().len(), 16);
    let ids: Vec<_> = carried.summaries().iter().map(|summary| summary.id.as_str()).collect();
    assert_eq!(ids.first(), Some(&"no-foreign-tenant"));
    let text = include_str!("../../../policies/roles.cedar");
    assert_eq!(ids.len(), text.lines().filter(|line| line.starts_with("@id(")).count());
    for summary in carried.summaries() {
        let line = text.lines().nth(summary.line - 1).unwrap();
        assert_eq!(line, format!("@id(\"{}\")", summary.id), "the line that the summary names");
    }
}

#[test]
fn a_policy_that_does_not_agree_with_the_schema_is_named_by_file_and_line() {
    let wrong = [
        ("an attribute", "principal.shoe_size == 43", "shoe_size"),
        ("a type", "principal.person == 7", "7"),
        ("a role", "principal.role == Bauta::Role::\"custodain\"", "custodain"),
        ("an optional attribute unasked for", "context.purpose == \"legal\"", "purpose"),
    ];
    for (what, condition, names) in wrong {
        let text = format!(
            "// a comment\n\n{PERMIT_ALL}\npermit (principal is Bauta::Credential, action, resource)\nwhen {{\n  {condition}\n}};\n"
        );
        let fault = fault(&[("fine.cedar", PERMIT_ALL), ("wrong.cedar", &text)]);
        assert!(fault.contains("wrong.cedar:"), "{what}: {fault}");
        assert!(fault.contains("wrong.cedar:7: "), "{what}: {fault}");
        assert!(fault.contains(names) && fault.ends_with("mend the policy, nothing was loaded"), "{what}: {fault}");
    }
}

#[test]
fn an_unknown_action_and_a_policy_that_can_never_apply_are_refused() {
    let unknown = fault(&[("a.cedar", "permit (principal, action == Bauta::Action::\"TokenRevael\", resource);")]);
    assert!(unknown.contains("a.cedar:1: ") && unknown.contains("TokenRevael"), "{unknown}");
    let never = fault(&[("a.cedar", "\npermit (principal, action, resource) when { false };")]);
    assert!(never.contains("a.cedar:2: "), "{never}");
}

#[test]
fn what_does_not_parse_is_named_by_file_and_line() {
    let fault =
        fault(&[("bad.cedar", "permit (principal, action, resource);\npermit (principal, action resource);\n")]);
    assert!(fault.contains("bad.cedar:2: "), "{fault}");
}

#[test]
fn a_template_a_used_id_an_empty_folder_and_another_schema_are_refused() {
    let template = fault(&[("t.cedar", "\npermit (principal == ?principal, action, resource);")]);
    assert!(template.contains("t.cedar:2: a template"), "{template}");
    let twice = "@id(\"x\")\npermit (principal, action, resource);\n";
    let twice = fault(&[("a.cedar", twice), ("b.cedar", twice)]);
    assert!(twice.contains("b.cedar:1: ") && twice.contains("used twice"), "{twice}");
    let empty = fault(&[("readme.txt", "")]);
    assert!(empty.contains("holds no *.cedar file"), "{empty}");
    let schema = fault(&[("a.cedar", PERMIT_ALL), ("bauta.cedarschema", "namespace Bauta {}")]);
    assert!(schema.contains("is not the schema of this version"), "{schema}");
    let missing = Policies::load(Some(Path::new("/nonexistent/policies"))).err().unwrap().to_string();
    assert!(missing.contains("/nonexistent/policies: cannot be read"), "{missing}");
}

#[test]
fn the_version_follows_names_and_contents_and_nothing_else() {
    let version = |files: &[(&str, &str)]| Policies::load(Some(folder(files).path())).unwrap().version().to_owned();
    let one = version(&[("a.cedar", PERMIT_ALL)]);
    assert_eq!(one, version(&[("a.cedar", PERMIT_ALL), ("notes.md", "not a policy")]));
    assert_ne!(one, version(&[("b.cedar", PERMIT_ALL)]));
    assert_ne!(one, version(&[("a.cedar", &format!("{PERMIT_ALL}// more\n"))]));
}

#[tokio::test]
async fn a_policy_that_fails_when_asked_denies_whatever_else_permits() {
    let failing = "@id(\"overflows\")\npermit (principal, action == Bauta::Action::\"AliasBind\", resource)\nwhen { 9223372036854775807 + context.hour > 0 };\n";
    let files = folder(&[("all.cedar", PERMIT_ALL), ("failing.cedar", failing)]);
    let world = World::with(Policies::load(Some(files.path())).unwrap()).await;
    let business = world.who(Role::Business).await;
    let answer = world.access.authorize(&business, Action::AliasBind, NewAlias {}).await;
    assert!(matches!(answer, Err(Denied::Forbidden)));
    assert!(world.access.authorize(&business, Action::PoolManage, Pools {}).await.is_ok(), "others go on");
}

#[tokio::test]
async fn what_workers_are_permitted_cannot_be_asked_for_whatever_the_policies_say() {
    let files = folder(&[("all.cedar", PERMIT_ALL)]);
    let world = World::with(Policies::load(Some(files.path())).unwrap()).await;
    let admin = world.who(Role::Admin).await;
    for action in Action::ALL {
        world.pass(Duration::from_secs(1));
        assert!(world.access.authorize(&admin, *action, Upkeep {}).await.is_err(), "{action:?}");
    }
    let mismatched = world.access.authorize(&admin, Action::TokenReveal, Pools {}).await;
    assert!(mismatched.is_err(), "an action on what it does not apply to");
}

#[tokio::test]
async fn a_partner_gets_no_token_of_another_audience_whatever_else_permits() {
    let roles = include_str!("../../../policies/roles.cedar");
    let files = folder(&[("all.cedar", PERMIT_ALL), ("roles.cedar", roles)]);
    let world = World::with(Policies::load(Some(files.path())).unwrap()).await;
    let partner = world.who(Role::Partner).await;
    let ask = async |audience| world.access.authorize(&partner, Action::TokenExchange, exchange(audience)).await;
    assert!(ask(Some("courier")).await.is_ok(), "its own");
    for other in [Some("insurer"), Some(""), None] {
        assert!(matches!(ask(other).await, Err(Denied::Forbidden)), "{other:?}");
    }
}

#[tokio::test]
async fn policies_may_look_at_address_and_hour() {
    let text = "permit (principal is Bauta::Credential, action == Bauta::Action::\"AliasBind\", resource)\nwhen { context has address && context.address.isInRange(ip(\"192.0.2.0/24\")) && context.hour < 15 };\n@id(\"t\")\npermit (principal is Bauta::Terminal, action, resource);\n";
    let files = folder(&[("a.cedar", text)]);
    let world = World::with(Policies::load(Some(files.path())).unwrap()).await;
    let bind = async |from: IpAddr| {
        let who = world.access.identify(world.key(Role::Business), from).await.unwrap();
        world.access.authorize(&who, Action::AliasBind, NewAlias {}).await.is_ok()
    };
    assert!(bind(HERE).await);
    assert!(!bind("198.51.100.1".parse().unwrap()).await);
    world.pass(Duration::from_secs(3_600));
    assert!(!bind(HERE).await, "an hour later the remembered decision does not count");
}

#[tokio::test]
async fn the_example_of_the_readme_loads_beside_the_roles_and_forbids() {
    let readme = include_str!("../../../policies/README.md");
    let example = readme.split("```cedar\n").nth(1).unwrap().split("```").next().unwrap();
    let roles = include_str!("../../../policies/roles.cedar");
    let files = folder(&[("roles.cedar", roles), ("office.cedar", example)]);
    let world = World::with(Policies::load(Some(files.path())).unwrap()).await;
    let reveal = async || {
        let custodian = world.who(Role::Custodian).await;
        world.access.authorize(&custodian, Action::TokenReveal, a_token(Some("legal"))).await.is_ok()
    };
    assert!(!reveal().await, "it is {} UTC", world.now());
    world.pass(Duration::from_secs(12 * 3_600));
    assert!(reveal().await, "it is {} UTC", world.now());
}

#[test]
fn every_example_holds_its_cases_beside_what_ships() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples");
    let mut examples = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "cedar") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let read = |ending: &str| std::fs::read_to_string(folder.join(format!("{name}.{ending}"))).unwrap();
        let shipped = PolicyFiles::shipped();
        let mut files: Vec<_> = shipped.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        files.push((format!("{name}.cedar"), read("cedar")));
        files.push((format!("fixtures/{name}.toml"), read("toml")));
        let policies = Policies::of(PolicyFiles::of(files).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        policies.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        examples += 1;
    }
    assert!(examples >= 3, "{examples}");
}
