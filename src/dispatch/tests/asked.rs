//! Who serves a number, asked of a service over HTTP.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::sent::World;
use super::{rule, *};
use crate::config::PortabilitySettings;
use crate::dispatch::portability::Portability;
use crate::store::Class;

const ANNA: &str = "+44 7700 900001";

/// A service that answers every question alike and remembers what it was asked.
struct Service {
    asked: Arc<Mutex<Vec<String>>>,
    url: String,
}

impl Service {
    async fn answering(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/numbers/{{number}}?by=bauta", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        break;
                    }
                    head.extend(byte);
                }
                let head = String::from_utf8(head).unwrap();
                seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { asked, url }
    }

    fn settings(&self) -> PortabilitySettings {
        PortabilitySettings {
            url: self.url.clone(),
            field: "operator".into(),
            authorization: None,
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(3_600),
        }
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// Two carriers: `two` for numbers of `some-mvno`, which the table does not know, and `three` for the table's.
async fn world(service: &Service) -> World {
    let mut world = World::new(&["one", "two", "three"]).await;
    world.dispatch = world.dispatch.asking(Some(Portability::new(service.settings()).unwrap()));
    let of = |operator: &str, carrier| RouteRule { operator: Some(operator.into()), ..rule(&[(carrier, 1)]) };
    world.set(vec![of("some-mvno", "two"), of("example-gb", "three")]).await.unwrap();
    world
}

#[tokio::test]
async fn the_answer_counts_before_the_table_and_a_number_is_asked_about_once() {
    let service = Service::answering("200 OK", r#"{"operator":"Some MVNO","ported":true}"#).await;
    let world = world(&service).await;
    for _ in 0..3 {
        assert_eq!(world.code().await.unwrap(), "two");
    }
    assert_eq!(*service.asked.lock().unwrap(), ["GET /numbers/447700900001?by=bauta HTTP/1.1"]);
    let told = world.house.entries("portability.asked").await;
    assert_eq!((told.len(), told[0]["host"].as_str()), (1, Some("127.0.0.1")));
    assert!(told[0]["subject"].as_str().unwrap().starts_with("sub_"));
    assert!(!told[0].to_string().contains("7700"));
    let explained = world.explain(ANNA, Class::Code, None).await;
    assert_eq!(explained.operator, Some(("some-mvno".into(), true)));
    let other = world.explain("+44 7700 900009", Class::Code, None).await;
    assert_eq!(other.operator, Some(("example-gb".into(), false)), "an explanation asks nobody");
    assert_eq!(service.count(), 1);
    world.house.clock.advance(Duration::from_secs(3_601));
    assert_eq!(world.code().await.unwrap(), "two");
    assert_eq!(service.count(), 2, "numbers move");
}

#[tokio::test]
async fn nobody_is_asked_where_no_rule_wants_to_know() {
    let service = Service::answering("200 OK", r#"{"operator":"some-mvno"}"#).await;
    let world = world(&service).await;
    world.set(vec![rule(&[("one", 1)])]).await.unwrap();
    assert_eq!(world.code().await.unwrap(), "one");
    assert_eq!(service.count(), 0);
}

#[tokio::test]
async fn where_the_service_fails_or_does_not_know_the_table_tells() {
    let unknown = Service::answering("404 Not Found", "").await;
    let not_known = world(&unknown).await;
    for _ in 0..2 {
        assert_eq!(not_known.code().await.unwrap(), "three");
    }
    assert_eq!(unknown.count(), 1, "that it is not known is remembered too");

    for (status, body) in [("500 Oops", ""), ("200 OK", "no JSON"), ("302 Found", "")] {
        let broken = Service::answering(status, body).await;
        let failing = world(&broken).await;
        for _ in 0..8 {
            assert_eq!(failing.code().await.unwrap(), "three", "{status}");
        }
        assert_eq!(broken.count(), 5, "{status}: then it is left alone");
        failing.house.clock.advance(Duration::from_secs(30));
        assert_eq!(failing.code().await.unwrap(), "three");
        assert_eq!(broken.count(), 6, "{status}: and asked again");
    }

    for odd in [r#"{"operator":"+447700900123"}"#, r#"{"operator":["a"]}"#, r#"{"name":"some-mvno"}"#, "[]"] {
        let service = Service::answering("200 OK", odd).await;
        assert_eq!(world(&service).await.code().await.unwrap(), "three", "{odd}");
    }
}

#[test]
fn an_address_without_a_host_cannot_be_asked() {
    let settings = PortabilitySettings {
        url: "numbers/{number}".into(),
        field: "operator".into(),
        authorization: None,
        timeout: Duration::from_secs(1),
        cache: Duration::from_secs(1),
    };
    assert!(Portability::new(settings).is_err());
}
