//! How Python writes a value, and reads one: what Ansible's conversions and messages are made of.

use std::str::Chars;

use serde_json::{Map, Number, Value};

/// What Python calls the type of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A value as `str()` makes a text of it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => literal(other),
    }
}

/// A value as `repr()` makes a text of it.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => self::number(number),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), literal(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Exponents have a sign and two digits there.
fn number(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let text = format!("{float:?}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            letter if letter == quote => written.extend(['\\', letter]),
            letter if letter.is_control() => written.extend(["\\x".to_owned(), format!("{:02x}", u32::from(letter))]),
            letter => written.push(letter),
        }
    }
    written.push(quote);
    written
}

/// Reads what `repr()` has written of a dictionary; `None` where it is none.
pub(crate) fn read_map(text: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader { rest: text.chars() };
    let value = reader.value()?;
    reader.skip_space();
    match value {
        Value::Object(map) if reader.rest.as_str().is_empty() => Some(map),
        _ => None,
    }
}

struct Reader<'a> {
    rest: Chars<'a>,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.rest.next();
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.rest.next();
        }
        is_there
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_space();
        match self.peek()? {
            '{' => self.map().map(Value::Object),
            '[' => self.items('[', ']').map(Value::Array),
            '(' => self.items('(', ')').map(Value::Array),
            '\'' | '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    fn map(&mut self) -> Option<Map<String, Value>> {
        let mut map = Map::new();
        self.take('{');
        while !self.take('}') {
            let key = self.value()?;
            if !self.take(':') {
                return None;
            }
            map.insert(text(&key), self.value()?);
            if !self.take(',') {
                return self.take('}').then_some(map);
            }
        }
        Some(map)
    }

    fn items(&mut self, open: char, close: char) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        self.take(open);
        while !self.take(close) {
            items.push(self.value()?);
            if !self.take(',') {
                return self.take(close).then_some(items);
            }
        }
        Some(items)
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest.next()?;
        let mut read = String::new();
        loop {
            match self.rest.next()? {
                '\\' => match self.rest.next()? {
                    'n' => read.push('\n'),
                    'r' => read.push('\r'),
                    't' => read.push('\t'),
                    letter @ ('\\' | '\'' | '"') => read.push(letter),
                    letter => read.extend(['\\', letter]),
                },
                letter if letter == quote => return Some(read),
                letter => read.push(letter),
            }
        }
    }

    fn word(&mut self) -> Option<Value> {
        let mut word = String::new();
        while let Some(letter) = self.peek().filter(|letter| letter.is_ascii_alphanumeric() || "+-._".contains(*letter))
        {
            word.push(letter);
            self.rest.next();
        }
        match word.as_str() {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            word => word.parse::<Number>().ok().map(Value::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (value, written) in [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1), "1"),
            (json!(1.0), "1.0"),
            (json!(1e20), "1e+20"),
            (json!(0.000_01), "1e-05"),
            (json!("it's"), "it's"),
            (json!(["a", null, "it's", "\"'\n"]), "['a', None, \"it's\", '\"\\'\\n']"),
            (json!({"a": {"b": false}}), "{'a': {'b': False}}"),
        ] {
            assert_eq!(text(&value), written);
        }
    }

    #[test]
    fn a_dictionary_is_read_as_it_was_written() {
        let map = json!({"a": [1, -2.5, "x, 'y'"], "b": {"c": null}, "1": true, "e": {}});

        assert_eq!(read_map(&literal(&map)).map(Value::Object), Some(map));
        assert_eq!(read_map("{ 'a' : (1, 2,), }").map(Value::Object), Some(json!({"a": [1, 2]})));
        for none in ["{a: 1}", "{'a' 1}", "{'a': 1", "{'a': 1} x", "{'a': exit()}", "[1]"] {
            assert_eq!(read_map(none), None, "{none}");
        }
    }
}
