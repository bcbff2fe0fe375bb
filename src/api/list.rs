//! Pages of lists: `?limit=&after=` in, `{"data":[…],"next":"…"|null}` out.

use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;
use super::problem::Problem;

/// Items of a page, unless the caller says.
const USUAL: u32 = 50;
/// The most items of a page.
const MOST: u32 = 100;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items, newest first where time orders them.
    pub data: Vec<T>,
    /// What to pass as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A page that was read with one item more than `limit`, which tells whether there is a next one.
    pub fn cut(mut data: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Self {
        let limit = super::fields::count(limit);
        let more = data.len() > limit;
        data.truncate(limit);
        let next = if more { data.last().map(name) } else { None };
        Self { data, next }
    }
}

/// How many items a caller wants: 1 to 100, 50 if it does not say.
pub fn limit(wanted: Option<u32>) -> Result<u32, Problem> {
    match wanted.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::at(Code::InvalidField, "limit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_names_its_last_item_only_if_more_follow() {
        let page = |items: &[u32]| List::cut(items.to_vec(), 2, u32::to_string);
        assert_eq!((page(&[3, 2]).data, page(&[3, 2]).next), (vec![3, 2], None));
        assert_eq!((page(&[3, 2, 1]).data, page(&[3, 2, 1]).next), (vec![3, 2], Some("2".into())));
        assert_eq!(page(&[]).next, None);
    }

    #[test]
    fn a_page_has_one_to_a_hundred_items() {
        assert_eq!(limit(None).ok(), Some(50));
        assert_eq!(limit(Some(100)).ok(), Some(100));
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }
}
