//! Does the paper reproduce? Its statements, as the experiments' files make them, checked on recorded runs.
//!
//! A [`Claim`](crate::spec::Claim) must hold at every point of its experiment's grid: each point is a [`Check`], whose
//! number is a mean over all recorded seeds with a bootstrap interval, and the claim's [`Verdict`] is the worst of its
//! checks'. Reads files of results only.
//!
//! ```
//! use contrastive_landscape::{claims::{Test, Verdict, judge}, statistics::Estimate};
//!
//! // "The minimum stays below 0.6", on five seeds: by how much does it?
//! let margin = Estimate::of(&[0.12, 0.09, 0.15, 0.11, 0.08]);
//! assert_eq!(judge(&margin, &Test { margin: Some(margin), published: None }), Verdict::Reproduced);
//! ```

mod beside;
mod evaluate;
mod evidence;
mod registered;
mod ruling;
mod strip;
mod table;
mod verdict;

pub use beside::Beside;
pub use evaluate::{Check, Comparison, Outcome, evaluate};
pub use evidence::Evidence;
pub use registered::rule;
pub use ruling::{RegisteredCheck, RuledClaim, Ruling, Rulings};
pub use strip::{Strip, render_strips, strips};
pub use table::{Format, interval, render, tally};
pub use verdict::{Test, Verdict, judge, worst};
