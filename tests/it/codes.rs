//! `bauta inspect codes`: the document's example as printed, and lines that are not what it reads.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::service::BAUTA;

fn inspect(lines: &str) -> String {
    let mut child = Command::new(BAUTA)
        .args(["inspect", "codes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_documents_example_prints_what_the_document_says() {
    let document = include_str!("../../docs/codes.md");
    let typed = document.split("<<'END'\n").nth(1).and_then(|rest| rest.split("END\n").next()).expect("an example");
    let printed = document.split("END\n```\n\n```\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(Some(inspect(typed).as_str()), printed);
}

#[test]
fn each_line_has_its_answer_also_the_wrong_ones() {
    let answers = inspect("{\"text\":\"Kode: 4821\",\"region\":\"ID\"}\nno json\n{\"txt\":\"1\"}\n{\"text\":\"\"}\n");
    let malformed = "{\"error\":\"malformed_json\"}";
    assert_eq!(answers, format!("{{\"code\":\"4821\"}}\n{malformed}\n{malformed}\n{{\"code\":null}}\n"));
}
