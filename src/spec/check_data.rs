//! What makes no sense in data and views.

use super::{
    DataSpec, Dictionary, Latents, Masks, Noise, Random, RunSpec, Strengths, ViewSpec, validate::at_least_one,
};
use crate::fault::{Fault, ensure, positive};

/// Checks ranges and combinations of `data` and `views`.
pub fn check(spec: &RunSpec) -> Result<(), Fault> {
    let RunSpec { data, views, .. } = spec;
    at_least_one("data.samples", data.samples)?;
    ensure(u32::try_from(data.samples).is_ok(), "data.samples", || format!("below 2^32, not {}", data.samples))?;
    at_least_one("data.d", data.d)?;
    dictionary(data)?;
    latents(data, spec.random)?;
    noise(data.noise)?;
    view(views)?;
    if spec.random.is_authors() { as_the_authors(data, views) } else { Ok(()) }
}

fn dictionary(data: &DataSpec) -> Result<(), Fault> {
    let DataSpec { p, d, coherence, .. } = *data;
    match data.dictionary {
        Dictionary::Gaussian => {
            at_least_one("data.p", p)?;
            return ensure(coherence == 0.0, "data.coherence", || {
                "Gaussian atoms have the cosines that they are drawn with; use dictionary: orthonormal".into()
            });
        }
        Dictionary::Orthonormal | Dictionary::Identity => {}
    }
    ensure(p >= d, "data.p", || {
        format!("p = {p} is below d = {d}; only dictionary: gaussian has more atoms than dimensions")
    })?;
    ensure(data.dictionary != Dictionary::Identity || p == d, "data.dictionary", || {
        format!("the identity dictionary needs p = d, but p = {p} and d = {d}")
    })?;
    ensure((0.0..1.0).contains(&coherence), "data.coherence", || {
        format!("a cosine from 0 to 1 (1 excluded), not {coherence}")
    })
}

fn latents(data: &DataSpec, random: Random) -> Result<(), Fault> {
    let (d, rho) = (data.d, data.correlation);
    let as_theirs = random.is_authors() && matches!(data.latents, Latents::FixedSupport { .. });
    if let Latents::Symmetric { sparsity } | Latents::Binary { sparsity } | Latents::FixedSupport { sparsity } =
        data.latents
        && as_theirs
    {
        // Their code draws something of any number.
        ensure(sparsity.is_finite(), "data.latents.sparsity", || format!("a number, not {sparsity}"))?;
    } else if let Latents::Symmetric { sparsity } | Latents::Binary { sparsity } | Latents::FixedSupport { sparsity } =
        data.latents
    {
        ensure(sparsity > 0.0 && sparsity < 1.0, "data.latents.sparsity", || {
            format!("a probability between 0 and 1 (both excluded), not {sparsity}")
        })?;
        if let Latents::FixedSupport { .. } = data.latents {
            let ones = ((d as f64 * sparsity).ceil()).max((d as f64 * sparsity / 2.0).ceil() + 1.0);
            ensure(ones <= d as f64, "data.latents.sparsity", || {
                format!("{ones} non-zero latents do not fit into d = {d}")
            })?;
        }
    }
    if let Strengths::Geometric { first, last } = data.strengths {
        positive("data.strengths.first", first)?;
        positive("data.strengths.last", last)?;
    }
    if let Strengths::Given { values } = &data.strengths {
        ensure(values.len() == d, "data.strengths.values", || {
            format!("one for each of the {d} atoms, not {}", values.len())
        })?;
        values.iter().try_for_each(|value| positive("data.strengths.values", *value))?;
    }
    if rho == 0.0 {
        return Ok(());
    }
    ensure((0.0..1.0).contains(&rho), "data.correlation", || {
        format!("a correlation from 0 to 1 (1 excluded), not {rho}")
    })?;
    match data.latents {
        Latents::Symmetric { sparsity } => {
            let all_zero = (1.0 - sparsity) * (1.0 - sparsity * (1.0 - rho)).powf(d as f64 - 1.0);
            ensure(all_zero < 0.999, "data.correlation", || {
                format!("with this sparsity and d = {d}, hardly a sample has a latent that is not 0")
            })
        }
        Latents::Binary { .. } => Ok(()),
        Latents::OneHot { .. } | Latents::FixedSupport { .. } => ensure(false, "data.correlation", || {
            "only symmetric and binary latents can be correlated; the number of non-zero ones is fixed in others".into()
        }),
    }
}

fn noise(noise: Noise) -> Result<(), Fault> {
    let deviation = |path: &str, sigma: f64| {
        ensure(sigma.is_finite() && sigma >= 0.0, path, || format!("a standard deviation of at least 0, not {sigma}"))
    };
    match noise {
        Noise::Gaussian { sigma } => deviation("data.noise.sigma", sigma),
        Noise::Heteroskedastic { first, last } => {
            positive("data.noise.first", first)?;
            positive("data.noise.last", last)
        }
        Noise::Authors { exponent } => {
            ensure(exponent.is_finite(), "data.noise.exponent", || format!("a number, not {exponent}"))
        }
        Noise::None | Noise::Paper => Ok(()),
    }
}

fn view(views: &ViewSpec) -> Result<(), Fault> {
    let q = views.masking_prob;
    ensure((0.0..=1.0).contains(&q), "views.masking_prob", || format!("a probability from 0 to 1, not {q}"))?;
    if let Some(q) = views.second_masking_prob {
        let path = "views.second_masking_prob";
        ensure((0.0..=1.0).contains(&q), path, || format!("a probability from 0 to 1, not {q}"))?;
        ensure(views.masks == Masks::Independent, path, || {
            "of dependent views, the second's mask follows from the first's; use masks: independent".into()
        })?;
    }
    ensure(views.noise.is_finite() && views.noise >= 0.0, "views.noise", || {
        format!("a standard deviation of at least 0, not {}", views.noise)
    })?;
    at_least_one("views.pairs", views.pairs)
}

/// Their scripts draw from generators in an order of their own, which knows nothing of what they do not have.
fn as_the_authors(data: &DataSpec, views: &ViewSpec) -> Result<(), Fault> {
    let ours = [
        ("data.dictionary", data.dictionary == Dictionary::Gaussian),
        ("data.coherence", data.coherence != 0.0),
        ("data.correlation", data.correlation != 0.0),
        ("data.strengths", !data.strengths.are_equal()),
        ("data.noise", matches!(data.noise, Noise::Heteroskedastic { .. })),
        ("data.noise_per_view", data.noise_per_view),
        ("data.fresh", data.fresh),
        ("views.second_masking_prob", views.second_masking_prob.is_some()),
        ("views.pattern", !views.pattern.is_entries()),
        ("views.noise", views.noise != 0.0),
    ];
    ours.into_iter().try_for_each(|(path, is_set)| {
        ensure(!is_set, path, || "the authors' scripts have no such setting; use random: native".into())
    })
}
