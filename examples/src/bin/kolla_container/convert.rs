//! Ansible's conversions: a value as the type that its parameter has.

use serde_json::{Map, Number, Value};

use crate::python;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    List,
    Map,
}

impl Kind {
    /// What Ansible calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "str",
            Self::Number => "int",
            Self::Flag => "bool",
            Self::List => "list",
            Self::Map => "dict",
        }
    }

    /// The value as this type, or why it is none, in Ansible's words.
    ///
    /// Of a value only a text for a flag and what should be a number is repeated: no other is free of secrets.
    pub(crate) fn convert(self, value: Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Text, Value::Null) => Ok(Value::String(String::new())),
            (Self::Text, value) => Ok(Value::String(python::text(&value))),
            (Self::Flag, value @ Value::Bool(_))
            | (Self::List, value @ Value::Array(_))
            | (Self::Map, value @ Value::Object(_)) => Ok(value),
            (Self::Flag, value @ (Value::String(_) | Value::Number(_))) => flag(&value).map(Value::Bool),
            (Self::Number, Value::Bool(is_one)) => Ok(Value::from(u8::from(is_one))),
            (Self::Number, value) => number(&value)
                .map(Value::Number)
                .ok_or_else(|| format!("\"{}\" cannot be converted to an int", python::literal(&value))),
            (Self::List, Value::String(text)) => Ok(text.split(',').map(Value::from).collect()),
            (Self::List, value @ (Value::Number(_) | Value::Bool(_))) => Ok(Value::from(vec![python::text(&value)])),
            (Self::Map, Value::String(text)) => map(&text).map(Value::Object),
            (kind, value) => {
                Err(format!("<class '{}'> cannot be converted to a {}", python::type_name(&value), kind.name()))
            }
        }
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    let said = python::text(value);
    match said.trim().to_lowercase().as_str() {
        "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
        "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
        _ => Err(format!(
            "The value '{said}' is not a valid boolean. Valid booleans include: 'y', 'yes', 'on', '1', 'true', 't', 1, \
             'n', 'no', 'off', '0', 'false', 'f', 0"
        )),
    }
}

/// A whole number, also one that is written with a fraction of nothing, or with an exponent.
fn number(value: &Value) -> Option<Number> {
    let text = match value {
        Value::Number(number) if !number.is_f64() => return Some(number.clone()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().replace('_', ""),
        _ => return None,
    };
    if let Ok(whole) = text.strip_prefix('+').unwrap_or(&text).parse::<i64>() {
        return Some(whole.into());
    }
    let float = text.parse::<f64>().ok().filter(|float| float.fract() == 0.0)?;
    format!("{float:.0}").parse::<i64>().ok().map(Number::from)
}

/// A dictionary out of JSON, out of what Python writes, or out of `key=value, key="other value"`.
fn map(text: &str) -> Result<Map<String, Value>, String> {
    if text.starts_with('{') {
        let json = serde_json::from_str(text).ok();
        return json
            .or_else(|| python::read_map(text))
            .ok_or_else(|| "unable to evaluate string as dictionary".to_owned());
    }
    if !text.contains('=') {
        return Err("dictionary requested, could not parse JSON or key=value".to_owned());
    }
    let pair = |field: String| field.split_once('=').map(|(key, value)| (key.to_owned(), Value::from(value)));
    fields(text.trim())
        .into_iter()
        .map(pair)
        .collect::<Option<_>>()
        .ok_or_else(|| "unable to evaluate string in the \"key=value\" format as dictionary".to_owned())
}

/// What is between commas and spaces that are neither quoted nor escaped.
fn fields(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quote, mut is_escaped) = (Vec::new(), String::new(), None, false);
    for letter in text.chars() {
        match letter {
            letter if is_escaped => {
                field.push(letter);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '\'' | '"' if quote.is_none() => quote = Some(letter),
            letter if quote == Some(letter) => quote = None,
            ',' | ' ' if quote.is_none() => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    fields.push(field);
    fields.retain(|field| !field.is_empty());
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_becomes_what_ansible_makes_of_it() {
        for (kind, given, expected) in [
            (Kind::Text, json!(10), json!("10")),
            (Kind::Text, json!(true), json!("True")),
            (Kind::Text, json!(1.0), json!("1.0")),
            (Kind::Text, json!(["a", 1]), json!("['a', 1]")),
            (Kind::Text, json!(null), json!("")),
            (Kind::Number, json!("10"), json!(10)),
            (Kind::Number, json!(" 1_0 "), json!(10)),
            (Kind::Number, json!("1e1"), json!(10)),
            (Kind::Number, json!(3.0), json!(3)),
            (Kind::Number, json!(true), json!(1)),
            (Kind::Flag, json!("Yes "), json!(true)),
            (Kind::Flag, json!("off"), json!(false)),
            (Kind::Flag, json!(1), json!(true)),
            (Kind::Flag, json!(0.0), json!(false)),
            (Kind::List, json!("a:/b,c:/d"), json!(["a:/b", "c:/d"])),
            (Kind::List, json!(""), json!([""])),
            (Kind::List, json!(1.5), json!(["1.5"])),
            (Kind::List, json!([1, null]), json!([1, null])),
            (Kind::Map, json!("{\"a\": 1}"), json!({"a": 1})),
            (Kind::Map, json!("{'a': True}"), json!({"a": true})),
            (Kind::Map, json!("a=1, b='2 3' c=\\,d,"), json!({"a": "1", "b": "2 3", "c": ",d"})),
        ] {
            assert_eq!(kind.convert(given.clone()), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_cannot_be_converted_is_said_in_ansibles_words() {
        for (kind, given, expected) in [
            (Kind::Number, json!("abc"), "\"'abc'\" cannot be converted to an int"),
            (Kind::Number, json!(1.5), "\"1.5\" cannot be converted to an int"),
            (Kind::Flag, json!([1]), "<class 'list'> cannot be converted to a bool"),
            (Kind::List, json!({"a": 1}), "<class 'dict'> cannot be converted to a list"),
            (Kind::Map, json!(null), "<class 'NoneType'> cannot be converted to a dict"),
            (Kind::Map, json!("a"), "dictionary requested, could not parse JSON or key=value"),
            (Kind::Map, json!("{x"), "unable to evaluate string as dictionary"),
            (Kind::Map, json!("a=b, c"), "unable to evaluate string in the \"key=value\" format as dictionary"),
        ] {
            assert_eq!(kind.convert(given), Err(expected.to_owned()));
        }
        assert!(
            Kind::Flag.convert(json!("maybe")).unwrap_err().starts_with("The value 'maybe' is not a valid boolean.")
        );
    }
}
