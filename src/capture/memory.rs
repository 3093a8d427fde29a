//! How much memory the ring of one more interface gets, where there may be hundreds of them.

/// All rings together, unless one alone is configured to be larger than a quarter of it.
const ALL_BYTES: u64 = 1 << 30;

/// What a further ring gets of the `wanted` bytes, while `used` are taken: all of it as long as there is
/// plenty, then a quarter of what is left.
pub(super) fn granted(wanted: u64, used: u64) -> u64 {
    let all = ALL_BYTES.max(wanted.saturating_mul(4));
    wanted.min(all.saturating_sub(used) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_gives_more_than_there_is() {
        for wanted in [1_u64 << 20, 64 << 20, 4_096 << 20] {
            let (mut used, mut full) = (0, 0);
            for _ in 0..1_000 {
                let ring = granted(wanted, used);
                full += u64::from(ring == wanted);
                used += ring;
            }
            assert!(full >= 1 && used <= ALL_BYTES.max(4 * wanted), "{full} {used}");
        }
        // A common gateway: a dozen interfaces get what they are configured for.
        let used = (0..12).fold(0, |used, _| used + granted(64 << 20, used));
        assert_eq!(used, 12 * (64 << 20));
    }
}
