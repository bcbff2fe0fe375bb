//! How the port's types look in columns, and what SQLite's errors mean to the port.
//!
//! The integers are part of the file format: a state may get a new one, never another's.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Error, Row, ffi};
use type_safe_id::{StaticType, TypeSafeId};

use crate::clock::Timestamp;
use crate::event::{Leaf, Mode, Role};
use crate::ids::{RecordId, bytes, from_bytes};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasMode, AliasStatus, ApprovalStatus, BlindIndex, BudgetKind, CellKind, Class, Conflict, DeliveryStatus,
    Disclose, Failure, Lane, LegKey, LotId, NoticeState, PolicySource, PolicyStatus, Scope, Sealed, StoreError, Task,
    Unknown, Usage, VerificationStatus,
};

macro_rules! coded {
    ($type:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let code: i64 = match self { $(Self::$variant => $code),* };
                Ok(code.into())
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($code => Ok(Self::$variant),)*
                    other => Err(FromSqlError::OutOfRange(other)),
                }
            }
        }
    };
}

coded!(Mode { Live = 0, Test = 1 });
coded!(CellKind { Token = 0, Sender = 1, Message = 2 });
coded!(AliasMode { Ax = 0, Axb = 1, Axn = 2, Axe = 3, Axyb = 4, Axg = 5 });
coded!(Disclose { None = 0, MaskedCode = 1, Code = 2, Text = 3 });
coded!(Unknown { Drop = 0, Reply = 1, Webhook = 2 });
coded!(AliasStatus { Active = 0, Released = 1, Expired = 2 });
coded!(ApprovalStatus { Pending = 0, Approved = 1, Denied = 2, Expired = 3, Used = 4 });
coded!(BudgetKind { Reveal = 0, Lookup = 1, Tokenize = 2 });
coded!(Class { Code = 0, Notice = 1, Marketing = 2, Relay = 3 });
coded!(Lane { Code = 0, Notice = 1, Marketing = 2 });
coded!(NoticeState { Waiting = 0, Delivered = 1, Dropped = 2 });
coded!(PolicyStatus { Proposed = 0, Active = 1, Superseded = 2, Withdrawn = 3 });
coded!(PolicySource { Program = 0, Folder = 1, Proposal = 2 });
coded!(VerificationStatus { Pending = 0, Approved = 1, Canceled = 2, Expired = 3, Exhausted = 4, Failed = 5 });
// In the order of getting worse; from 2 on final, from 4 on failed. The SQL of `delivery` compares these.
coded!(DeliveryStatus {
    Queued = 0,
    Submitted = 1,
    Delivered = 2,
    Unknown = 3,
    Expired = 4,
    Undelivered = 5,
    Rejected = 6,
});

coded!(Failure {
    AbsentSubscriber = 0,
    Barred = 1,
    UnknownSubscriber = 2,
    Blocked = 3,
    Spam = 4,
    Congestion = 5,
    Expired = 6,
    InvalidSender = 7,
    Other = 8,
});

macro_rules! wrapped {
    ($type:ident, |$from:ident| $to:expr, |$raw:ident: $column:ty| $back:expr) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let $from = self;
                Ok(ToSqlOutput::from($to))
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let $raw = <$column>::column_result(value)?;
                $back
            }
        }
    };
}

wrapped!(Timestamp, |it| it.as_millis(), |raw: i64| Ok(Self::from_millis(raw)));
wrapped!(BlindIndex, |it| &it.0[..], |raw: [u8; 16]| Ok(Self(raw)));
wrapped!(Leaf, |it| &it.0[..], |raw: [u8; 32]| Ok(Self(raw)));
wrapped!(Sealed, |it| &it.0[..], |raw: Vec<u8>| Ok(Self(raw)));
wrapped!(RecordId, |it| it.0.cast_signed(), |raw: i64| Ok(Self(raw.cast_unsigned())));
wrapped!(VirtualNumber, |it| it.digits().cast_signed(), |raw: i64| Self::from_digits(raw.cast_unsigned())
    .ok_or(FromSqlError::OutOfRange(raw)));
wrapped!(Scope, |it| scope_text(*it), |raw: String| scope(&raw).ok_or(FromSqlError::InvalidType));
wrapped!(LotId, |it| it.0, |raw: i64| Ok(Self(raw)));
wrapped!(Role, |it| it.as_str(), |raw: String| Self::parse(&raw).ok_or(FromSqlError::InvalidType));

/// Empty is anyone, 16 bytes are a person, 1 to 8 digits an extension.
impl ToSql for LegKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Anyone => &[][..],
            Self::Person(index) => &index.0,
            Self::Extension(digits) => digits.as_bytes(),
        }))
    }
}

impl FromSql for LegKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        match (bytes.len(), <[u8; 16]>::try_from(bytes)) {
            (0, _) => Ok(Self::Anyone),
            (_, Ok(index)) => Ok(Self::Person(BlindIndex(index))),
            (1..=8, _) if bytes.iter().all(u8::is_ascii_digit) => {
                Ok(Self::Extension(bytes.iter().copied().map(char::from).collect()))
            }
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl Usage {
    /// As `number.use` and `leg.use` say it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Star => "star",
            Self::Pair => "pair",
            Self::Ext => "ext",
        }
    }
}

/// A code is `v`, the verification and the two bytes of its number; a message is `m` and its id.
impl ToSql for Task {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let mut key = Vec::with_capacity(19);
        match self {
            Self::Code(verification, n) => {
                key.push(b'v');
                key.extend(bytes(verification));
                key.extend(n.to_be_bytes());
            }
            Self::Message(message) => {
                key.push(b'm');
                key.extend(bytes(message));
            }
            Self::Ask(message) => {
                key.push(b'q');
                key.extend(bytes(message));
            }
        }
        Ok(key.into())
    }
}

impl FromSql for Task {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (kind, rest) = value.as_blob()?.split_first().ok_or(FromSqlError::InvalidType)?;
        let (id, n) = rest.split_first_chunk::<16>().ok_or(FromSqlError::InvalidType)?;
        match (kind, n) {
            (b'v', [high, low]) => Ok(Self::Code(from_bytes(*id), u16::from_be_bytes([*high, *low]))),
            (b'm', []) => Ok(Self::Message(from_bytes(*id))),
            (b'q', []) => Ok(Self::Ask(from_bytes(*id))),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

fn scope_text(scope: Scope) -> String {
    match scope {
        Scope::Number(number) => number.digits().to_string(),
        Scope::Marketing => "marketing".to_owned(),
        Scope::Notice => "notice".to_owned(),
        Scope::All => "all".to_owned(),
    }
}

fn scope(text: &str) -> Option<Scope> {
    match text {
        "marketing" => Some(Scope::Marketing),
        "notice" => Some(Scope::Notice),
        "all" => Some(Scope::All),
        digits => VirtualNumber::from_digits(digits.parse().ok()?).map(Scope::Number),
    }
}

/// Reads an id from a column.
pub(super) fn id<T: StaticType>(row: &Row<'_>, column: &str) -> rusqlite::Result<TypeSafeId<T>> {
    row.get(column).map(from_bytes)
}

/// Reads an id from a column that may be empty.
pub(super) fn maybe_id<T: StaticType>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<TypeSafeId<T>>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(from_bytes))
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::SqliteFailure(failure, _) => of_code(failure),
            Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => {
                Self::Corrupt("row")
            }
            // The text of the others may quote SQL; its kind is enough.
            _ => Self::Unavailable("the statement could not be run".into()),
        }
    }
}

fn of_code(failure: ffi::Error) -> StoreError {
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::Conflict(Conflict::Missing),
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_ROWID => {
            StoreError::Conflict(Conflict::Exists)
        }
        _ => match failure.code {
            rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase => StoreError::Corrupt("file"),
            code => StoreError::Unavailable(format!("{code:?}")),
        },
    }
}

/// Tells a broken unique constraint as `conflict`; leaves other errors as they are.
pub(super) fn exists_means(conflict: Conflict) -> impl Fn(Error) -> StoreError {
    move |error| match StoreError::from(error) {
        StoreError::Conflict(Conflict::Exists) => StoreError::Conflict(conflict),
        other => other,
    }
}

/// Reads a list of words from a column.
pub(super) fn words(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<String>> {
    Ok(row.get::<_, String>(column)?.split_whitespace().map(str::to_owned).collect())
}
