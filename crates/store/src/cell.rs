//! The columns of a packed row: JSON, of which a text without escapes is not copied.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor, value};
use serde::forward_to_deserialize_any;

/// What a column holds, as [`crate::rows::Stored`] types read it.
#[derive(Debug)]
pub(crate) enum Cell<'t> {
    Null,
    Truth(bool),
    Integer(i64),
    Text(Cow<'t, str>),
}

/// As many columns as a feed has, which has the most.
const WIDEST: usize = 48;

/// All columns of a row, in their order.
pub(crate) struct Cells<'t>(pub(crate) Vec<Cell<'t>>);

impl<'t> Deserialize<'t> for Cells<'t> {
    fn deserialize<D: Deserializer<'t>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(OfArray)
    }
}

struct OfArray;

impl<'t> Visitor<'t> for OfArray {
    type Value = Cells<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the columns of a row")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut array: A) -> Result<Cells<'t>, A::Error> {
        let mut cells = Vec::with_capacity(WIDEST);
        while let Some(cell) = array.next_element()? {
            cells.push(cell);
        }
        Ok(Cells(cells))
    }
}

impl<'t> Deserialize<'t> for Cell<'t> {
    fn deserialize<D: Deserializer<'t>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(OfJson)
    }
}

struct OfJson;

impl<'t> Visitor<'t> for OfJson {
    type Value = Cell<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an integer, a truth value or nothing")
    }

    fn visit_unit<E>(self) -> Result<Cell<'t>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Cell<'t>, E> {
        Ok(Cell::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell<'t>, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell<'t>, E> {
        i64::try_from(number)
            .map(Cell::Integer)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Cell<'t>, E> {
        Ok(Cell::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell<'t>, E> {
        Ok(Cell::Text(text.to_owned().into()))
    }
}

impl<'de> Deserializer<'de> for &'de Cell<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Cell::Null => visitor.visit_unit(),
            Cell::Truth(truth) => visitor.visit_bool(*truth),
            Cell::Integer(number) => visitor.visit_i64(*number),
            Cell::Text(text) => visitor.visit_borrowed_str(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Cell::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_a_column_may() {
        let text = r#"["plain", "with \"escapes\"", -7, true, null]"#;
        let Cells(cells) = serde_json::from_str(text).unwrap();
        let [plain, escaped, number, truth, nothing] = cells.as_slice() else {
            panic!("{cells:?}")
        };
        assert!(matches!(plain, Cell::Text(Cow::Borrowed("plain"))), "{plain:?}");
        assert_eq!(<&str>::deserialize(plain), Ok("plain"));
        assert_eq!(
            Option::<String>::deserialize(escaped),
            Ok(Some("with \"escapes\"".to_owned()))
        );
        assert_eq!(i64::deserialize(number), Ok(-7));
        assert_eq!(bool::deserialize(truth), Ok(true));
        assert_eq!(Option::<i64>::deserialize(nothing), Ok(None));
    }

    #[test]
    fn is_not_read_as_what_it_is_not() {
        let text = Cell::Text("7".into());
        assert!(i64::deserialize(&text).is_err());
        assert!(String::deserialize(&Cell::Null).is_err());
        for json in ["1.5", "[]", "{}", "18446744073709551615"] {
            assert!(serde_json::from_str::<Cell<'_>>(json).is_err(), "{json}");
        }
    }
}
