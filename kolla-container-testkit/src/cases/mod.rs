//! The conformance suite: what the port promises, and what a reconcile does with it.

pub mod bugs;
pub mod containers;
pub mod exec;
pub mod images;
pub mod logs;
pub mod networks;
pub mod reconcile;
pub mod replacement;
pub mod supervised;
pub mod volumes;

use crate::runner::Case;

/// Names the cases of a group, in their order, with what each needs: `name_of_a_function ["what it needs"] exclusive;`.
#[macro_export]
macro_rules! cases {
    ($group:literal; $($name:ident $([$($need:literal),+])? $($exclusive:ident)?;)+) => {
        /// The cases of this group.
        pub fn cases() -> Vec<$crate::Case> {
            vec![$(
                $crate::Case::new(concat!($group, "::", stringify!($name)), |harness| {
                    Box::pin(async move {
                        $name(harness).await;
                        $crate::Outcome::Passed
                    })
                })
                $(.needing(&[$($need),+]))?
                $(.$exclusive())?,
            )+]
        }
    };
}
use cases;

/// All cases, the field matrix too.
pub fn all() -> Vec<Case> {
    let groups = [
        containers::cases(),
        images::cases(),
        volumes::cases(),
        networks::cases(),
        exec::cases(),
        logs::cases(),
        reconcile::cases(),
        replacement::cases(),
        bugs::cases(),
        crate::matrix::cases(),
    ];
    groups.into_iter().flatten().collect()
}
