//! The text of a file as a tree of values: YAML, and JSON, which is YAML too.
//!
//! Where YAML surprises people, this keeps what they wrote: `no`, `on` and `yes` are texts, `22:22` is one, and a
//! number that would be printed otherwise (`0022`, `3.10`, `1_000`) is the text that it was written as. A key that
//! stands twice is a mistake. No message has a value in it: it may be a secret.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{Error, Location, MessageFormatter, Spanned, UserMessageFormatter};

/// Reads a text that holds one document; a mistake says in which line it is.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let read: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| message(&error))?;
    match value(read, text) {
        Value::Null => Err("the document is empty".to_owned()),
        value => Ok(value),
    }
}

fn message(error: &Error) -> String {
    let error = error.without_snippet();
    let what = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {key:?} is there twice").into(),
        Error::MultipleDocuments { .. } => "a second document begins here, and a file is one document".into(),
        Error::NullIntoString { .. } => "a key is a text, and this is null".into(),
        Error::Unexpected { expected: "string scalar", .. } => "a key is a text, and this is none".into(),
        error => UserMessageFormatter.format_message(error),
    };
    match error.location() {
        Some(location) if location != Location::UNKNOWN => {
            format!("line {}, column {}: {what}", location.line(), location.column())
        }
        _ => what.into_owned(),
    }
}

/// A value, before its numbers are looked up in the text.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

fn value(node: Spanned<Node>, text: &str) -> Value {
    let written = || {
        let span = node.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        text.get(start..start.checked_add(length)?)
    };
    match node.value {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Number(number) => match written().map(str::trim_end) {
            // With a tag in front of it, or quotes around it, somebody has said that it is a number.
            Some(written) if written.starts_with(is_numeric) && written != number.to_string() => {
                Value::String(written.to_owned())
            }
            _ => Value::Number(number),
        },
        Node::Text(text) => Value::String(text),
        Node::List(items) => items.into_iter().map(|item| value(item, text)).collect(),
        Node::Map(entries) => entries.into_iter().map(|(key, entry)| (key, value(entry, text))).collect(),
    }
}

fn is_numeric(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, '+' | '-' | '.')
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Node, E> {
        Number::from_f64(number).map(Node::Number).ok_or_else(|| E::custom("this is no finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistake(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn words_that_older_yaml_takes_for_booleans_are_texts() {
        let read = parse("a: no\nb: on\nc: yes\nd: off\ne: true\nf: False\n").unwrap();

        assert_eq!(read, json!({"a": "no", "b": "on", "c": "yes", "d": "off", "e": true, "f": false}));
    }

    #[test]
    fn a_number_that_would_be_printed_otherwise_stays_as_it_was_written() {
        let read = parse(concat!(
            "mode: 0022\nversion: 3.10\nmany: 1_000\nhex: 0x1F\nplus: +5\nlong: 12345678901234567890123\nlist: [1.50, 2]\n",
            "ports: 22:22\nplain: 80\nfraction: 1.5\nnegative: -3\nquoted: '0022'\ntagged: !!int \"12\"\n",
        ));

        let expected = json!({
            "mode": "0022", "version": "3.10", "many": "1_000", "hex": "0x1F", "plus": "+5",
            "long": "12345678901234567890123", "list": ["1.50", 2],
            "ports": "22:22", "plain": 80, "fraction": 1.5, "negative": -3, "quoted": "0022", "tagged": 12,
        });
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn numbers_are_found_in_the_text_behind_aliases_comments_and_wide_characters() {
        let read =
            parse("\u{feff}# größe\nü: &v 3.10   # a comment\ny: *v\nm: &m {a: 0022}\nn: {<<: *m, b: 1}\n").unwrap();

        let expected = json!({"ü": "3.10", "y": "3.10", "m": {"a": "0022"}, "n": {"a": "0022", "b": 1}});
        assert_eq!(read, expected);
    }

    #[test]
    fn json_is_read_whatever_it_is_indented_with() {
        let read = parse("{\n\t\"a\": [\n\t\t1,\n\t\t2.5, null\n\t],\n\t\"b\": \"\\ud83d\\ude00 x\\/y\"\n}\n").unwrap();

        assert_eq!(read, json!({"a": [1, 2.5, null], "b": "😀 x/y"}));
    }

    #[test]
    fn a_key_that_is_there_twice_is_a_mistake_in_yaml_and_in_json() {
        assert_eq!(mistake("a: 1\nb: 2\na: 3\n"), r#"line 3, column 1: the key "a" is there twice"#);
        assert_eq!(mistake(r#"{"a": {"b": 1, "b": 2}}"#), r#"line 1, column 16: the key "b" is there twice"#);
    }

    #[test]
    fn a_text_without_a_document_is_a_mistake_and_so_is_one_with_two() {
        for empty in ["", "\n", "# a comment\n", "---\n", "null\n", "~"] {
            assert_eq!(mistake(empty), "the document is empty", "{empty:?}");
        }
        assert_eq!(
            mistake("a: 1\n---\nb: 2\n"),
            "line 3, column 1: a second document begins here, and a file is one document"
        );
    }

    #[test]
    fn a_key_that_is_no_text_is_a_mistake() {
        assert_eq!(mistake("~: 1\n"), "line 1, column 1: a key is a text, and this is null");
        assert_eq!(mistake("? [a]\n: 1\n"), "line 1, column 3: a key is a text, and this is none");
    }

    #[test]
    fn no_message_has_a_value_in_it() {
        for wrong in [
            "a: 'hunter2\n",
            "a: @hunter2\n",
            "a: !!int hunter2\n",
            "a: !!bool hunter2\n",
            "a: \"hunter2\" b\n",
            "a: hunter2\n  b: hunter2\n",
            "a: *hunter2\n",
            "a: !!binary hunter2?\n",
            "a: [hunter2\n",
            "a: \"hunter2\\q\"\n",
            "a: {hunter2: b\n",
            "a: !!float hunter2\n",
            "a: >\n hunter2\nb\n",
        ] {
            let message = mistake(wrong);

            assert!(!message.contains("hunter2"), "{wrong:?}: {message}");
            assert!(message.starts_with("line "), "{wrong:?}: {message}");
        }
    }

    #[test]
    fn a_document_that_is_too_deep_or_multiplies_itself_is_a_mistake() {
        assert!(mistake(&"[".repeat(100_000)).starts_with("line 1"));
        let line = |level: i32| format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(", "));
        let bomb: Vec<String> = ["a0: &a0 [x, x, x]".to_owned()].into_iter().chain((1..9).map(line)).collect();
        assert!(mistake(&bomb.join("\n")).starts_with("line "));
    }
}
