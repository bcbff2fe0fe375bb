//! Random histories, judged by a model: nobody outside an alias is ever reached, no real number is ever shown, and of two
//! tenants on one shared pool neither sees the other.
//!
//! `PROPTEST_CASES` sets how many histories, `PROPTEST_RNG_SEED` repeats one run; the seed is printed.

mod house;
mod world;

use std::time::Duration;

use bauta::alias::{Alter, Bind};
use bauta::ids::AliasId;
use bauta::store::Unknown;
use house::{House, Seen, number_of};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use world::{Alias, Number, Outcome, Person, Text, Told, World};

/// People; the one after them is a machine, whose number is a pool's.
const PEOPLE: Person = 6;
const MACHINE: Person = PEOPLE;
const NUMBERS: [Number; 5] = [15_550_000_001, 15_550_000_002, 15_550_000_003, 15_550_000_004, 15_550_000_005];
const MODES: [&str; 6] = ["ax", "axb", "axn", "axe", "axyb", "axg"];
const FOREVER: u64 = u64::MAX / 4;

/// One thing that happens. Picks are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Bind {
        tenant: usize,
        mode: usize,
        people: [Person; 4],
        b: bool,
        ttl: Option<u64>,
        answers: bool,
    },
    Extend {
        alias: usize,
        ttl: u64,
    },
    Rebind {
        alias: usize,
        a: bool,
        person: Person,
    },
    Release {
        alias: usize,
    },
    Freeze {
        alias: usize,
        on: bool,
    },
    Wait {
        secs: u64,
    },
    /// To a number of an alias: by somebody of it, or by anybody.
    Write {
        alias: usize,
        y: bool,
        from: Result<usize, Person>,
        text: Words,
    },
    Anywhere {
        number: usize,
        from: Person,
        text: Words,
    },
}

#[derive(Clone, Copy, Debug)]
enum Words {
    Plain,
    Tagged(u32),
    /// The extension of this alias.
    Dialled(usize),
    Stop,
    Start,
}

fn step() -> impl Strategy<Value = Step> {
    let person = || 0..PEOPLE;
    let ttl = prop::option::of(prop::sample::select(vec![60_u64, 3_600, 100_000]));
    let bind = (0..2_usize, 0..MODES.len(), prop::array::uniform4(person()), any::<bool>(), ttl, any::<bool>())
        .prop_map(|(tenant, mode, people, b, ttl, answers)| Step::Bind { tenant, mode, people, b, ttl, answers });
    let secs = prop::sample::select(vec![30_u64, 3_000, 50_000, 90_000, 700_000]);
    let anyone = prop_oneof![8 => person(), 1 => Just(MACHINE)];
    let from = prop_oneof![3 => any::<usize>().prop_map(Ok), 2 => anyone.clone().prop_map(Err)];
    prop_oneof![
        4 => bind,
        1 => (any::<usize>(), 60_u64..200_000).prop_map(|(alias, ttl)| Step::Extend { alias, ttl }),
        1 => (any::<usize>(), any::<bool>(), person()).prop_map(|(alias, a, person)| Step::Rebind { alias, a, person }),
        1 => any::<usize>().prop_map(|alias| Step::Release { alias }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(alias, on)| Step::Freeze { alias, on }),
        2 => secs.prop_map(|secs| Step::Wait { secs }),
        14 => (any::<usize>(), any::<bool>(), from, words())
            .prop_map(|(alias, y, from, text)| Step::Write { alias, y, from, text }),
        2 => (0..NUMBERS.len(), anyone, words()).prop_map(|(number, from, text)| Step::Anywhere { number, from, text }),
    ]
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        10 => Just(Words::Plain),
        3 => (1..4_u32).prop_map(Words::Tagged),
        5 => any::<usize>().prop_map(Words::Dialled),
        1 => Just(Words::Stop),
        1 => Just(Words::Start),
    ]
}

#[test]
fn every_message_reaches_whom_the_model_says_and_nobody_else() {
    let seed = match std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed,
        None => std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64),
    };
    println!("PROPTEST_RNG_SEED={seed}");
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16);
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let histories = prop::collection::vec(step(), 10..60);
    TestRunner::new(config)
        .run(&histories, |steps| runtime.block_on(History::new()).judged(&runtime, &steps))
        .unwrap_or_else(|fault| panic!("{fault}\nPROPTEST_RNG_SEED={seed}"));
}

struct History {
    house: House,
    world: World,
    ids: Vec<AliasId>,
    words: usize,
}

type Verdict = Result<(), TestCaseError>;

impl History {
    async fn new() -> Self {
        Self { house: House::new(&NUMBERS, MACHINE).await, world: World::default(), ids: Vec::new(), words: 0 }
    }

    fn judged(mut self, runtime: &tokio::runtime::Runtime, steps: &[Step]) -> Verdict {
        runtime.block_on(async {
            for step in steps {
                self.take(step).await?;
            }
            self.search().await
        })
    }

    async fn take(&mut self, step: &Step) -> Verdict {
        // So that of any two things one is later.
        self.wait(1);
        let count = self.ids.len();
        let picked = |alias: usize| if count == 0 { None } else { Some(alias % count) };
        match step {
            Step::Wait { secs } => self.wait(*secs),
            Step::Bind { .. } => return self.bind(step).await,
            Step::Anywhere { number, from, text } => {
                return self.write(*from, NUMBERS[*number], self.said(*text)).await;
            }
            Step::Extend { alias, ttl } => {
                if let Some(alias) = picked(*alias) {
                    let (rooms, permit) = self.house.changing(self.tenant(alias), self.ids[alias]).await;
                    let wish = Alter { ttl: Some(Some(Duration::from_secs(*ttl))), ..Alter::default() };
                    let done = rooms.change(&permit, wish).await;
                    prop_assert_eq!(done.is_ok(), self.world.is_live(alias));
                    if done.is_ok() {
                        self.world.aliases[alias].ends = self.world.now + ttl;
                    }
                }
            }
            Step::Release { alias } => {
                if let Some(alias) = picked(*alias) {
                    let done = self.house.release(self.tenant(alias), self.ids[alias]).await;
                    // One that has lapsed may be ended either way until a worker came by.
                    prop_assert!(done.is_ok() || !self.world.is_live(alias));
                    let ended = &mut self.world.aliases[alias].ends;
                    *ended = (*ended).min(self.world.now);
                }
            }
            Step::Freeze { alias, on } => {
                if let Some(alias) = picked(*alias) {
                    self.house.freeze(self.tenant(alias), self.ids[alias], *on).await;
                    self.world.aliases[alias].frozen = *on;
                }
            }
            Step::Rebind { alias, a, person } => {
                if let Some(alias) = picked(*alias) {
                    return self.rebind(alias, *a, *person).await;
                }
            }
            Step::Write { alias, y, from, text } => {
                if let Some(alias) = picked(*alias) {
                    let it = &self.world.aliases[alias];
                    let people: Vec<Person> = it.people().collect();
                    let from = from.map_or_else(|person| person, |nth| people[nth % people.len()]);
                    let to = if *y { it.y.unwrap_or(it.x) } else { it.x };
                    return self.write(from, to, self.said(*text)).await;
                }
            }
        }
        Ok(())
    }

    fn tenant(&self, alias: usize) -> usize {
        self.world.aliases[alias].tenant
    }

    fn wait(&mut self, secs: u64) {
        self.house.clock.advance(Duration::from_secs(secs));
        self.world.now += secs;
    }

    fn said(&self, words: Words) -> Text {
        match words {
            Words::Plain => Text::Plain,
            Words::Tagged(tag) => Text::Tagged(tag),
            Words::Stop => Text::Stop,
            Words::Start => Text::Start,
            Words::Dialled(pick) => {
                let extensions: Vec<_> =
                    self.world.aliases.iter().filter_map(|alias| alias.extension.clone()).collect();
                if extensions.is_empty() {
                    Text::Plain
                } else {
                    Text::Dialled(extensions[pick % extensions.len()].clone())
                }
            }
        }
    }

    async fn bind(&mut self, step: &Step) -> Verdict {
        let Step::Bind { tenant, mode, people: [a, b, c, d], b: has_b, ttl, answers } = step else { return Ok(()) };
        let mode = MODES[*mode];
        let b = match mode {
            "axb" | "axyb" => Some(*b),
            "axn" | "axg" => Some(*b).filter(|_| *has_b),
            _ => None,
        };
        let members = if mode == "axg" { b.into_iter().chain([*c, *d]).collect() } else { Vec::new() };
        let mut wish = Bind::of(mode, self.house.holder(*tenant, *a).await);
        for member in &members {
            wish.members.push(self.house.holder(*tenant, *member).await);
        }
        if let Some(b) = b {
            wish.b = Some(self.house.holder(*tenant, b).await);
        }
        wish.ttl = ttl.map(Duration::from_secs);
        wish.unknown = if *answers { Unknown::Reply } else { Unknown::Drop };
        let Ok(view) = self.house.bind(*tenant, wish).await else { return Ok(()) };
        let alias = Alias {
            tenant: *tenant,
            mode,
            x: view.number.digits(),
            y: view.number_y.map(|y| y.digits()),
            extension: view.extension.clone(),
            a: *a,
            b,
            members,
            ends: ttl.map_or(FOREVER, |ttl| self.world.now + ttl),
            frozen: false,
            answers: *answers,
            callers: Default::default(),
        };
        prop_assert!(self.world.has_room(&alias), "{:?} was given what somebody else has", alias);
        self.world.aliases.push(alias);
        self.ids.push(view.id);
        Ok(())
    }

    /// Puts somebody else in; whoever stays hears of it, and nobody else.
    async fn rebind(&mut self, alias: usize, first: bool, person: Person) -> Verdict {
        let mut to = self.world.aliases[alias].clone();
        let mut wish = Alter::default();
        match to.mode {
            "axe" => to.a = person,
            "axb" | "axyb" if first => to.a = person,
            "axb" | "axyb" => to.b = Some(person),
            "axn" => to.b = Some(person).filter(|_| first),
            "axg" => to.b = Some(to.members[person % to.members.len()]).filter(|_| first),
            _ => return Ok(()),
        }
        if to.a != self.world.aliases[alias].a {
            wish.a = Some(self.house.holder(to.tenant, to.a).await);
        } else {
            wish.b = Some(match to.b {
                Some(b) if to.mode != "axe" => Some(self.house.holder(to.tenant, b).await),
                _ => None,
            });
        }
        let (rooms, permit) = self.house.changing(to.tenant, self.ids[alias]).await;
        let done = rooms.change(&permit, wish).await.is_ok();
        let told = self.house.received().await;
        prop_assert!(done || told.is_empty());
        if done {
            prop_assert!(self.world.is_live(alias));
            let mut others = self.world.clone();
            others.aliases[alias].ends = 0;
            prop_assert!(others.has_room(&to), "{:?} was given what somebody else has", to);
            for (who, shown, said) in &told {
                let known = to.people().chain(to.callers.keys().copied()).any(|person| number_of(person) == *who);
                prop_assert!(known, "{} heard {}", who, said);
                let own = [Some(to.x), to.y].map(|number| number.map(|number| format!("+{number}")));
                prop_assert!(own.contains(&Some(shown.clone())), "{} is not theirs", shown);
            }
            self.world.aliases[alias] = to;
        }
        Ok(())
    }

    async fn write(&mut self, from: Person, to: Number, text: Text) -> Verdict {
        self.words += 1;
        if matches!(text, Text::Start) {
            // The same body within a minute is a loop, and this one is always the same.
            self.wait(61);
        }
        // Letters only: a number in a body would have come from somewhere else.
        let body: String = self.words.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect();
        let body = format!("word {body}.");
        let written = match &text {
            Text::Plain => body.clone(),
            Text::Tagged(tag) => format!("[{tag}] {body}"),
            Text::Dialled(digits) => format!("{digits}: {body}"),
            Text::Stop => "STOP".to_owned(),
            Text::Start => "start".to_owned(),
        };
        let body = if matches!(text, Text::Start) { "start".to_owned() } else { body };
        let foretold = match from {
            MACHINE => Outcome { reaches: None, told: Told::Nothing },
            from => self.world.write(from, to, &text),
        };
        let seen = self.house.write(from, to, &written).await;
        let (carried, told): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|(.., text)| text.ends_with(&body));
        let carried: Vec<_> = carried.into_iter().map(|(to, shown, _)| (to, shown)).collect();
        let reaches: Vec<_> =
            foretold.reaches.iter().map(|(to, shown)| (number_of(*to), format!("+{shown}"))).collect();
        let what = format!("{from} to {to}: {text:?}, {:#?}", self.world);
        prop_assert_eq!(carried, reaches, "{}", what);
        for (to_whom, shown, said) in &told {
            prop_assert_eq!((to_whom, shown), (&number_of(from), &format!("+{to}")), "{}\n{}", said, what);
            prop_assert!(!bare(said).contains("7700900"), "{}", said);
        }
        let expected = match foretold.told {
            Told::Nothing => 0..=0,
            Told::Maybe => 0..=1,
            Told::Surely => 1..=1,
        };
        prop_assert!(expected.contains(&told.len()), "{:?} told, {:?} foretold; {}", told, foretold, what);
        Ok(())
    }

    /// Looks for what must be nowhere: a number of anybody, and in one tenant's log the other's aliases.
    async fn search(&self) -> Verdict {
        for text in self.house.entries(None).await {
            prop_assert!(!bare(&text).contains("7700900"), "{}", text);
        }
        for tenant in 0..2 {
            let others =
                || (0..self.ids.len()).filter(|alias| self.tenant(*alias) != tenant).map(|alias| self.ids[alias]);
            let log = self.house.entries(Some(self.house.tenants[tenant])).await;
            let listed = self.house.list(tenant).await;
            for other in others() {
                prop_assert!(!log.iter().any(|text| text.contains(&other.to_string())));
                prop_assert!(!listed.contains(&other));
            }
        }
        Ok(())
    }
}

/// A text without what may stand between the digits of a number.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect()
}
