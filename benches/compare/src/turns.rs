//! In which order contenders take turns.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// A new order for each round, at random: of a rotation each would always come after the same one. The same name gives the same
/// orders.
#[derive(Debug)]
pub struct Turns(StdRng);

impl Turns {
    /// Of what is called so.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut seed = [0; 32];
        for (place, byte) in (0..seed.len()).cycle().zip(name.bytes()) {
            seed[place] ^= byte;
        }
        Self(StdRng::from_seed(seed))
    }

    /// The numbers of so many, in the order of the next round.
    #[must_use]
    pub fn next(&mut self, contenders: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..contenders).collect();
        order.shuffle(&mut self.0);
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Turns;

    #[test]
    fn everybody_has_a_turn_and_comes_after_everybody() {
        let mut turns = Turns::of("get");
        let (mut after, mut first) = (HashSet::new(), HashSet::new());
        for _ in 0..100 {
            let order = turns.next(4);
            assert_eq!(order.iter().copied().collect::<HashSet<_>>(), HashSet::from([0, 1, 2, 3]));
            first.insert(order[0]);
            after.extend(order.windows(2).map(|pair| (pair[0], pair[1])));
        }
        assert_eq!((first.len(), after.len()), (4, 12));
    }

    #[test]
    fn a_name_has_its_orders() {
        let orders = |name| {
            let mut turns = Turns::of(name);
            std::array::from_fn::<_, 9, _>(|_| turns.next(8))
        };
        assert_eq!(orders("get, 1 thread"), orders("get, 1 thread"));
        assert_ne!(orders("get, 1 thread"), orders("get, 2 threads"));
    }
}
