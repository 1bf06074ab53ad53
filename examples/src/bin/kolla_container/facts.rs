//! What the facts module answers: the engine's own documents, or what is in them.

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::call::{FactsCall, Look};
use crate::document::Documents;
use crate::failure::Failure;

/// Gathers what is asked for.
pub(crate) async fn gather(call: &FactsCall) -> Result<Answer, Failure> {
    let documents = Documents::of(call.engine)?;
    let (key, facts) = match call.look {
        Look::Containers => ("containers", Value::Object(containers(call, &documents).await?)),
        Look::Environments => ("envs", Value::Object(of_each(call, &documents, environment).await?)),
        Look::States => ("states", Value::Object(of_each(call, &documents, status).await?)),
        Look::Volumes => ("volumes", Value::Object(volumes(call, &documents).await?)),
        Look::Names => {
            ("container_names", documents.containers(false).await?.into_iter().map(|(name, _)| name).collect())
        }
    };
    Ok(Answer { more: [(key.to_owned(), facts)].into(), ..Answer::of(false) })
}

impl FactsCall {
    fn asks_for(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| asked == name)
    }
}

async fn containers(call: &FactsCall, documents: &Documents) -> Result<Map<String, Value>, Failure> {
    let mut found = Map::new();
    for (name, id) in documents.containers(call.all).await?.into_iter().filter(|(name, _)| call.asks_for(name)) {
        // One may be gone by now.
        if let Some(mut document) = documents.container(&id).await? {
            if let Some(Value::Object(health)) = document.pointer_mut("/State/Health") {
                // It can be megabytes.
                health.remove("Log");
            }
            found.insert(name, document);
        }
    }
    Ok(found)
}

async fn of_each(
    call: &FactsCall,
    documents: &Documents,
    of: fn(&Value) -> Value,
) -> Result<Map<String, Value>, Failure> {
    let mut found = Map::new();
    for name in &call.names {
        let Some(document) = documents.container(name).await? else {
            return Err(Failure::said(format!("No such container: {name}")));
        };
        found.insert(name.clone(), of(&document));
    }
    Ok(found)
}

fn status(document: &Value) -> Value {
    document.pointer("/State/Status").cloned().unwrap_or_default()
}

fn environment(document: &Value) -> Value {
    let variables = document.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
    let pairs = variables.filter_map(Value::as_str).map(|text| text.split_once('=').unwrap_or((text, "")));
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect())
}

async fn volumes(call: &FactsCall, documents: &Documents) -> Result<Map<String, Value>, Failure> {
    let named = |volume: Value| Some((volume.get("Name")?.as_str()?.to_owned(), volume));
    let all = documents.volumes().await?.into_iter().filter_map(named);
    Ok(all.filter(|(name, _)| call.asks_for(name)).collect())
}
