//! Reading a spec from a document: every mistake at once, each with its path and what would be right.
//!
//! A document is read into a tree of values first, so that a mistake in one field does not hide the
//! next, that no error prints a value (it may be a secret), and that YAML and JSON behave alike.

use std::fmt;
use std::str::FromStr;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Number, Value};

use crate::text::ParseError;
use crate::violation::{FieldPath, Violations};

/// Where the fields of the groups stand, so that `memory` can be answered with `resources.memory`.
pub(crate) const NESTED: [&str; 59] = [
    "deploy.config_check",
    "deploy.create_missing_sources",
    "deploy.deadlines",
    "deploy.healthy",
    "deploy.replace",
    "deploy.settle",
    "deploy.start_limit",
    "deploy.supervised",
    "healthcheck.interval",
    "healthcheck.retries",
    "healthcheck.start_interval",
    "healthcheck.start_period",
    "healthcheck.test",
    "healthcheck.timeout",
    "logging.driver",
    "logging.options",
    "namespaces.cgroup",
    "namespaces.ipc",
    "namespaces.pid",
    "namespaces.user",
    "namespaces.uts",
    "network.dns",
    "network.dns_options",
    "network.dns_search",
    "network.expose",
    "network.extra_hosts",
    "network.links",
    "network.mode",
    "network.networks",
    "network.ports",
    "network.publish_all",
    "resources.blkio_weight",
    "resources.cpu_period",
    "resources.cpu_quota",
    "resources.cpu_shares",
    "resources.cpus",
    "resources.cpuset_cpus",
    "resources.cpuset_mems",
    "resources.kernel_memory",
    "resources.memory",
    "resources.memory_reservation",
    "resources.memory_swap",
    "resources.oom_kill_disable",
    "resources.oom_score_adj",
    "resources.pids_limit",
    "resources.shm_size",
    "resources.swappiness",
    "resources.sysctls",
    "resources.ulimits",
    "security.cap_add",
    "security.cap_drop",
    "security.no_new_privileges",
    "security.privileged",
    "security.read_only",
    "security.security_opt",
    // What other tools call a field of ours stands behind what we call it.
    "namespaces.ipc=ipc_mode",
    "namespaces.pid=pid_mode",
    "namespaces.cgroup=cgroupns_mode",
    "namespaces.user=userns_mode",
];

/// What other tools call top-level fields.
const ELSEWHERE: [(&str, &str); 12] = [
    ("volumes", "mounts"),
    ("binds", "mounts"),
    ("tmpfs", "mounts, with `type: tmpfs`"),
    ("env", "environment"),
    ("restart_policy", "restart"),
    ("network_mode", "network.mode"),
    ("mem_limit", "resources.memory"),
    ("memswap_limit", "resources.memory_swap"),
    ("mem_reservation", "resources.memory_reservation"),
    ("log_driver", "logging.driver"),
    ("log_opt", "logging.options"),
    ("stop_grace_period", "stop_timeout"),
];

/// What can be read of `value`, and everything that is wrong with the rest.
pub(crate) fn read<T>(
    mut value: Value,
    deserialize: impl Fn(Reader) -> Result<T, ReadError>,
) -> (Option<T>, Violations) {
    let mut violations = Violations::none();
    loop {
        let error = match deserialize(Reader::new(value.clone())) {
            Ok(read) => return (Some(read), violations),
            Err(error) => error,
        };
        // What is wrong is taken out, so that what comes after it is looked at too.
        let goes_on = remove(&mut value, &error.segments);
        let was_taken_out = error.missing.is_some_and(|field| {
            let path = error.path().field(field);
            violations.iter().any(|violation| violation.path == path)
        });
        if !was_taken_out {
            violations.add(error.path(), error.message);
        }
        if !goes_on {
            return (None, violations);
        }
    }
}

/// Reads `value`, or says everything that is wrong with it.
pub(crate) fn read_as<T: DeserializeOwned>(value: Value) -> Result<T, Violations> {
    match read(value, T::deserialize) {
        (Some(read), wrong) if wrong.is_empty() => Ok(read),
        (_, wrong) => Err(wrong),
    }
}

/// What stands in a list for an element that was taken out: the others keep their index.
const TAKEN_OUT: &str = "\0 taken out, for it could not be read";

/// Takes out what stands at `segments` (innermost first); false where there is nothing to take out.
fn remove(value: &mut Value, segments: &[Segment]) -> bool {
    let Some((last, way)) = segments.split_first() else { return false };
    let mut place = value;
    for segment in way.iter().rev() {
        let inner = match segment {
            Segment::Field(name) | Segment::Key(name) => place.get_mut(name),
            Segment::Index(index) => place.get_mut(index),
        };
        match inner {
            Some(inner) => place = inner,
            None => return false,
        }
    }
    match (place, last) {
        (Value::Object(map), Segment::Field(name) | Segment::Key(name)) => map.remove(name).is_some(),
        (Value::Array(elements), Segment::Index(index)) => {
            elements.get_mut(*index).is_some_and(|element| std::mem::replace(element, TAKEN_OUT.into()) != TAKEN_OUT)
        }
        _ => false,
    }
}

#[derive(Clone, Debug)]
enum Segment {
    Field(String),
    Key(String),
    Index(usize),
}

/// A mistake in a document.
#[derive(Debug)]
pub(crate) struct ReadError {
    /// Innermost first: it grows on the way out.
    segments: Vec<Segment>,
    message: String,
    /// The key that is missing, where that is the mistake.
    missing: Option<&'static str>,
}

impl ReadError {
    fn new(message: String) -> Self {
        Self { segments: Vec::new(), message, missing: None }
    }

    fn within(mut self, segment: Segment) -> Self {
        self.segments.push(segment);
        self
    }

    fn path(&self) -> FieldPath {
        self.segments.iter().rev().fold(FieldPath::root(), |path, segment| match segment {
            Segment::Field(name) => path.field(name),
            Segment::Key(key) => path.key(key),
            Segment::Index(index) => path.key(index),
        })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.message)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(crate::secret::redact(&message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        // What serde says of a struct is a name of ours.
        let expected = if expected.starts_with("struct ") { "an object" } else { expected.as_str() };
        Self::new(format!("this is {}, here goes {expected}", kind(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = match nearest(field, expected) {
            Some(known) => format!("unknown key, did you mean `{known}`?"),
            None => format!("unknown key; known here are {}", expected.join(", ")),
        };
        Self::new(message).within(Segment::Field(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("`{field}` is missing")) }
    }
}

/// What a value is, without the value: it may be a secret.
fn kind(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer that does not fit",
        Unexpected::Float(_) => "a decimal number",
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "something else",
    }
}

/// The known key that is nearest to `field`, with its path where it stands elsewhere.
pub(crate) fn nearest(field: &str, expected: &[&str]) -> Option<String> {
    let is_root = expected.contains(&"image") && expected.contains(&"mounts");
    let here = expected.iter().map(|known| (*known, (*known).to_owned()));
    let nested = NESTED.iter().filter(|_| is_root).filter_map(|path| {
        let (path, name) = match path.split_once('=') {
            Some((path, name)) => (path, name),
            None => (*path, path.rsplit_once('.')?.1),
        };
        Some((name, path.to_owned()))
    });
    let elsewhere = ELSEWHERE.iter().filter(|_| is_root).map(|(name, path)| (*name, (*path).to_owned()));
    here.chain(nested)
        .chain(elsewhere)
        .map(|(name, path)| (strsim::jaro_winkler(field, name), path))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, path)| path)
}

/// A value that is being read.
pub(crate) struct Reader(Value);

impl Reader {
    fn new(value: Value) -> Self {
        Self(value)
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V, segment: fn(String) -> Segment) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Object(map) => visitor.visit_map(Entries { left: map.into_iter(), next: None, segment }),
            // A list would be read as the fields in their order.
            Value::Array(_) => Err(ReadError::new("this is a list, here goes an object".to_owned())),
            value => Self(value).any(visitor),
        }
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(list) => visitor.visit_seq(Items { items: list.into_iter(), index: 0 }),
            Value::Object(_) => self.map(visitor, Segment::Field),
        }
    }

    /// Texts of digits count as integers: templating tools write them.
    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.as_str().map(str::parse::<i64>) {
            Some(Ok(number)) => visit_number(&number.into(), visitor),
            _ => self.any(visitor),
        }
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, ReadError> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), ..) => visitor.visit_u64(number),
        (_, Some(number), _) => visitor.visit_i64(number),
        (.., Some(number)) => visitor.visit_f64(number),
        _ => Err(ReadError::new("the number is too large".to_owned())),
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// Numbers and booleans count as text: YAML reads `1000` and `true` as such.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Number(number) => visitor.visit_string(number.to_string()),
            Value::Bool(value) => visitor.visit_string(value.to_string()),
            value => Self(value).any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.map(visitor, Segment::Field)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.map(visitor, Segment::Key)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.into_deserializer()),
            value => Self(value).any(visitor),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.integer(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct identifier
        ignored_any
    }
}

struct Entries {
    left: <Map<String, Value> as IntoIterator>::IntoIter,
    next: Option<(Segment, Value)>,
    segment: fn(String) -> Segment,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        let segment = (self.segment)(key.clone());
        self.next = Some((segment.clone(), value));
        seed.deserialize(Reader(Value::String(key))).map(Some).map_err(|error| {
            // An unknown key has put itself into the path already.
            if error.segments.is_empty() { error.within(segment) } else { error }
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let (segment, value) = self.next.take().ok_or_else(|| ReadError::custom("a value without its key"))?;
        seed.deserialize(Reader(value)).map_err(|error| error.within(segment))
    }
}

struct Items {
    items: std::vec::IntoIter<Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let (index, value) = loop {
            let Some(value) = self.items.next() else { return Ok(None) };
            let index = self.index;
            self.index += 1;
            if value.as_str() != Some(TAKEN_OUT) {
                break (index, value);
            }
        };
        seed.deserialize(Reader(value)).map(Some).map_err(|error| error.within(Segment::Index(index)))
    }
}

/// Reads a type with a short form (text) and a long one (an object, `L`).
pub(crate) fn text_or_map<'de, D, T, L>(
    deserializer: D,
    expected: &'static str,
    from_long: impl FnOnce(L) -> Result<T, ParseError>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = ParseError>,
    L: Deserialize<'de>,
{
    struct Form<F, L> {
        expected: &'static str,
        from_long: F,
        long: std::marker::PhantomData<L>,
    }

    impl<'de, T, L, F> Visitor<'de> for Form<F, L>
    where
        T: FromStr<Err = ParseError>,
        L: Deserialize<'de>,
        F: FnOnce(L) -> Result<T, ParseError>,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            let long = L::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
            (self.from_long)(long).map_err(serde::de::Error::custom)
        }
    }

    deserializer.deserialize_any(Form { expected, from_long, long: std::marker::PhantomData })
}

/// One value, or a list of them.
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<'de, T: FromStr<Err = ParseError> + Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form<T>(std::marker::PhantomData<T>);

        impl<'de, T: FromStr<Err = ParseError> + Deserialize<'de>> Visitor<'de> for Form<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                text.parse().map(|one| OneOrMany(vec![one])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = list.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany(many))
            }
        }

        deserializer.deserialize_any(Form(std::marker::PhantomData))
    }
}
