//! Who reaches whom: the rules of aliases once more, in plain Rust, sharing nothing with the service.
//!
//! A person and a number are small integers here. Time is in seconds. What the house itself says is foretold only as far
//! as whether the writer may hear something, since nobody else ever does.

use std::collections::{BTreeMap, BTreeSet};

pub type Person = usize;
pub type Number = u64;
pub type Tenant = usize;

/// An alias that was bound.
#[derive(Clone, Debug)]
pub struct Alias {
    pub tenant: Tenant,
    pub mode: &'static str,
    pub x: Number,
    pub y: Option<Number>,
    pub extension: Option<String>,
    pub a: Person,
    pub b: Option<Person>,
    pub members: Vec<Person>,
    /// When it ends by itself; it ended already if that is past.
    pub ends: u64,
    pub frozen: bool,
    /// Whether strangers are told that they reach nobody.
    pub answers: bool,
    /// Who wrote from outside: tag, and when either last wrote to the other.
    pub callers: BTreeMap<Person, (u32, u64)>,
}

impl Alias {
    pub fn people(&self) -> impl Iterator<Item = Person> {
        [Some(self.a), self.b].into_iter().flatten().chain(self.members.iter().copied())
    }
}

/// What somebody writes.
#[derive(Clone, Debug)]
pub enum Text {
    Plain,
    /// `[n] …`
    Tagged(u32),
    /// `123456: …`
    Dialled(String),
    Stop,
    Start,
}

/// What has to come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who gets the words, and from which number.
    pub reaches: Option<(Person, Number)>,
    /// Whether the writer hears from the house.
    pub told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Maybe,
    Surely,
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub now: u64,
    pub aliases: Vec<Alias>,
    /// Whom each person does not want to be written to by: (tenant, number, person).
    pub stopped: BTreeSet<(Tenant, Number, Person)>,
    /// Which alias a caller is in conversation with on a number with extensions, and until when.
    pub sessions: BTreeMap<(Number, Person), (usize, u64)>,
    pub misses: BTreeMap<(Number, Person), Vec<u64>>,
}

const DAY: u64 = 86_400;
const SILENCE: Outcome = Outcome { reaches: None, told: Told::Nothing };
const MAYBE: Outcome = Outcome { reaches: None, told: Told::Maybe };
const HELP: Outcome = Outcome { reaches: None, told: Told::Surely };

impl World {
    pub fn is_live(&self, alias: usize) -> bool {
        self.aliases[alias].ends > self.now
    }

    /// The live aliases that have `number`.
    pub fn on(&self, number: Number) -> Vec<usize> {
        let has = |alias: &usize| self.aliases[*alias].x == number || self.aliases[*alias].y == Some(number);
        (0..self.aliases.len()).filter(|alias| self.is_live(*alias)).filter(has).collect()
    }

    /// Whether an alias may be put beside those that there are: one place of a person on a number, one star alone.
    pub fn has_room(&self, new: &Alias) -> bool {
        let places = |it: &Alias| match it.mode {
            "axb" => vec![(it.x, Some(it.a)), (it.x, it.b)],
            "axyb" => vec![(it.x, it.b), (it.y.unwrap(), Some(it.a))],
            "axg" => it.members.iter().chain([&it.a]).map(|person| (it.x, Some(*person))).collect(),
            _ => vec![(it.x, None)],
        };
        let kind = |it: &Alias| match it.mode {
            "ax" | "axn" => "star",
            "axe" => "ext",
            _ => "pair",
        };
        let others = (0..self.aliases.len()).filter(|alias| self.is_live(*alias)).map(|alias| &self.aliases[alias]);
        let mut sharing =
            others.filter(|it| places(it).iter().any(|(x, _)| places(new).iter().any(|(new, _)| x == new)));
        sharing.all(|it| match (kind(it), kind(new)) {
            ("pair", "pair") => places(it).iter().all(|place| !places(new).contains(place)),
            ("ext", "ext") => it.extension != new.extension,
            _ => false,
        })
    }

    /// Whom a message reaches; who can be answered changes with it.
    pub fn write(&mut self, from: Person, to: Number, text: &Text) -> Outcome {
        let way = self.way(from, to);
        match text {
            Text::Stop => return self.stop(from, to, way),
            Text::Start => {
                let (tenant, alias) = self.speaker(to, way);
                if self.stopped.remove(&(tenant, to, from)) {
                    return self.aloud(alias);
                }
            }
            _ => {}
        }
        match way {
            Some(alias) if self.aliases[alias].mode == "axe" => self.in_session(alias, from, to, text),
            Some(alias) => self.through(alias, from, to, text),
            None if self.on(to).iter().any(|alias| self.aliases[*alias].mode == "axe") => self.dial(from, to, text),
            None => self.unknown(to),
        }
    }

    /// The alias that a message takes by its writer alone: a leg of the writer's own goes before one of anybody's.
    fn way(&self, from: Person, to: Number) -> Option<usize> {
        // Who answers at an extension is no caller there.
        let stands = |alias: usize| self.is_live(alias) && self.aliases[alias].a != from;
        let session = self.sessions.get(&(to, from)).filter(|(alias, until)| stands(*alias) && *until > self.now);
        let takes = |alias: &usize| {
            let it = &self.aliases[*alias];
            match it.mode {
                "ax" | "axn" => true,
                "axb" => it.a == from || it.b == Some(from),
                "axyb" => (it.x == to && it.b == Some(from)) || (it.y == Some(to) && it.a == from),
                "axg" => it.a == from || it.members.contains(&from),
                _ => false,
            }
        };
        session.map(|(alias, _)| *alias).or_else(|| self.on(to).into_iter().find(takes))
    }

    fn through(&mut self, alias: usize, from: Person, to: Number, text: &Text) -> Outcome {
        let it = &self.aliases[alias];
        if it.frozen {
            return SILENCE;
        }
        match it.mode {
            "axb" => self.pass(alias, if from == it.a { it.b } else { Some(it.a) }, it.x),
            "axyb" if to == it.x => self.pass(alias, Some(it.a), it.y.unwrap()),
            "axyb" => self.pass(alias, it.b, it.x),
            "axg" if from == it.a => {
                self.pass(alias, it.b.or(it.members.first().copied().filter(|_| it.members.len() == 1)), it.x)
            }
            "axg" => self.pass(alias, Some(it.a), it.x),
            "axn" if from == it.a && it.b.is_some() => self.pass(alias, it.b, it.x),
            "axn" if from == it.a => self.answer(alias, self.last(alias)),
            _ if from == it.a => self.answer(alias, self.named(alias, text)),
            _ => self.call(alias, from),
        }
    }

    /// Somebody from outside reaches A and can be answered from now on.
    fn call(&mut self, alias: usize, from: Person) -> Outcome {
        if self.aliases[alias].frozen {
            return SILENCE;
        }
        let (x, a) = (self.aliases[alias].x, self.aliases[alias].a);
        let outcome = self.pass(alias, Some(a), x);
        if outcome.reaches.is_some() {
            let now = self.now;
            let callers = &mut self.aliases[alias].callers;
            callers.retain(|_, (_, last)| *last + 2 * DAY > now);
            let next = callers.values().map(|(tag, _)| tag + 1).max().unwrap_or(1);
            callers.entry(from).or_insert((next, now)).1 = now;
        }
        outcome
    }

    fn answer(&mut self, alias: usize, to: Option<Person>) -> Outcome {
        let outcome = self.pass(alias, to, self.aliases[alias].x);
        if let (Some((caller, _)), now) = (outcome.reaches, self.now) {
            self.aliases[alias].callers.get_mut(&caller).unwrap().1 = now;
        }
        outcome
    }

    /// To `to` as seen from `shown`, unless that person does not want it; nobody meant is a help text to the writer.
    fn pass(&self, alias: usize, to: Option<Person>, shown: Number) -> Outcome {
        match to {
            None => HELP,
            Some(to) if self.stopped.contains(&(self.aliases[alias].tenant, shown, to)) => MAYBE,
            Some(to) => Outcome { reaches: Some((to, shown)), told: Told::Nothing },
        }
    }

    fn live(&self, alias: usize) -> impl Iterator<Item = (Person, u32, u64)> {
        let callers = self.aliases[alias].callers.iter().map(|(caller, (tag, last))| (*caller, *tag, *last));
        callers.filter(move |(caller, _, last)| last + DAY > self.now && *caller != self.aliases[alias].a)
    }

    fn last(&self, alias: usize) -> Option<Person> {
        self.live(alias).max_by_key(|(.., last)| *last).map(|(caller, ..)| caller)
    }

    /// Whom A means: by tag, or the only one there is.
    fn named(&self, alias: usize, text: &Text) -> Option<Person> {
        let live: Vec<_> = self.live(alias).collect();
        match text {
            Text::Tagged(named) => live.iter().find(|(_, tag, _)| tag == named).map(|(caller, ..)| *caller),
            _ if live.len() == 1 => Some(live[0].0),
            _ => None,
        }
    }

    fn unknown(&self, to: Number) -> Outcome {
        match self.sole(to) {
            Some(alias) if !self.aliases[alias].answers || self.aliases[alias].frozen => SILENCE,
            _ => MAYBE,
        }
    }

    /// The only alias on a number, or the last that was there.
    fn sole(&self, to: Number) -> Option<usize> {
        match self.on(to).as_slice() {
            [one] => Some(*one),
            [] => (0..self.aliases.len()).rev().find(|alias| self.aliases[*alias].x == to),
            _ => None,
        }
    }

    // ── extensions

    fn in_session(&mut self, alias: usize, from: Person, to: Number, text: &Text) -> Outcome {
        if self.aliases[alias].frozen {
            return SILENCE;
        }
        let other = match text {
            Text::Dialled(digits) if !self.has_guessed(from, to) => self.behind(to, digits),
            _ => None,
        };
        match (other, text) {
            (Some(other), _) => self.connect(other, from, to),
            (None, Text::Dialled(digits)) if self.aliases[alias].extension.as_ref() != Some(digits) => {
                if !self.has_guessed(from, to) {
                    self.misses.entry((to, from)).or_default().push(self.now);
                }
                self.connect(alias, from, to)
            }
            _ => self.connect(alias, from, to),
        }
    }

    fn dial(&mut self, from: Person, to: Number, text: &Text) -> Outcome {
        let owned: Vec<usize> = self.on(to).into_iter().filter(|alias| self.aliases[*alias].a == from).collect();
        let own = |digits: &String| {
            owned.iter().copied().find(|alias| self.aliases[*alias].extension.as_ref() == Some(digits))
        };
        if let Text::Dialled(digits) = text
            && own(digits).is_none()
        {
            if self.has_guessed(from, to) {
                return SILENCE;
            }
            match self.behind(to, digits) {
                Some(alias) if owned.is_empty() => return self.connect(alias, from, to),
                Some(alias) => return self.call(alias, from),
                None => self.misses.entry((to, from)).or_default().push(self.now),
            }
        }
        if owned.is_empty() {
            return MAYBE;
        }
        let named = match text {
            Text::Dialled(digits) => own(digits).into_iter().collect(),
            _ => Vec::new(),
        };
        self.answer_of(if named.is_empty() { owned } else { named }, text)
    }

    /// An answer of who is behind several extensions: through the one where somebody waits.
    fn answer_of(&mut self, mut owned: Vec<usize>, text: &Text) -> Outcome {
        owned.retain(|alias| !self.aliases[*alias].frozen);
        if owned.len() > 1 {
            let waited: Vec<usize> = owned.iter().copied().filter(|alias| self.live(*alias).next().is_some()).collect();
            owned = if waited.is_empty() { owned } else { waited };
        }
        match owned.as_slice() {
            [] => SILENCE,
            [only] => self.answer(*only, self.named(*only, text)),
            _ => HELP,
        }
    }

    fn connect(&mut self, alias: usize, from: Person, to: Number) -> Outcome {
        let outcome = self.call(alias, from);
        if outcome.reaches.is_some() {
            self.sessions.insert((to, from), (alias, (self.now + DAY).min(self.aliases[alias].ends)));
        }
        outcome
    }

    fn behind(&self, to: Number, digits: &String) -> Option<usize> {
        self.on(to).into_iter().find(|alias| self.aliases[*alias].extension.as_ref() == Some(digits))
    }

    fn has_guessed(&self, from: Person, to: Number) -> bool {
        let times = self.misses.get(&(to, from)).map(Vec::as_slice).unwrap_or_default();
        times.iter().filter(|at| **at + 3_600 > self.now).count() >= 5
    }

    // ── STOP and START

    fn stop(&mut self, from: Person, to: Number, way: Option<usize>) -> Outcome {
        let (tenant, alias) = self.speaker(to, way);
        if self.stopped.insert((tenant, to, from)) { self.aloud(alias) } else { SILENCE }
    }

    /// What the house says is heard unless the alias in whose name it is said is frozen.
    fn aloud(&self, alias: Option<usize>) -> Outcome {
        if alias.is_some_and(|alias| self.aliases[alias].frozen) { SILENCE } else { HELP }
    }

    /// In whose name the house speaks: the alias's, else the pool's owner's.
    fn speaker(&self, to: Number, way: Option<usize>) -> (Tenant, Option<usize>) {
        let shared = self.on(to).iter().any(|alias| self.aliases[*alias].mode == "axe");
        let alias = way.or_else(|| self.sole(to).filter(|_| !shared));
        (alias.map_or(0, |alias| self.aliases[alias].tenant), alias)
    }
}
