//! Whatever order objects arrive in, however passes cut them into commits, are killed, repeated, and find objects again
//! that were folded: Gold is one big GROUP BY over the rows of all objects, each once.
//!
//! Here with the fold's plain plan, and states in memory that are counted, split, merged and finished as those in tables
//! are. `LOGSMITH_MODEL_CASES=10000` tries as many landings as the design asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use deltalake::datafusion::datasource::MemTable;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::compact::model::{self, Object};
use crate::gold::partition::Partition;

/// Landings that are tried unless the environment names another number.
const CASES: u64 = 300;

/// How many landings are tried.
pub fn cases() -> u64 {
    std::env::var("LOGSMITH_MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// Rows of one object.
fn batch(random: &mut StdRng) -> RecordBatch {
    let rows = random.random_range(0..6);
    let times: Vec<i64> = (0..rows).map(|_| DAY + random.random_range(-48..48_i64) * HOUR / 2).collect();
    let levels = (0..rows).map(|_| [Some("info"), Some("warn"), None][random.random_range(0..3)]);
    let levels: ArrayRef = Arc::new(levels.collect::<StringArray>());
    let ms = (0..rows).map(|_| (random.random_range(0..9) > 0).then(|| random.random_range(0..50_i64)));
    let ms: ArrayRef = Arc::new(ms.collect::<Int64Array>());
    let sizes = (0..rows).map(|_| f64::from(random.random_range(0..64)) / 4.0);
    let sizes: ArrayRef = Arc::new(Float64Array::from_iter_values(sizes));
    // So that first and last are the same in any order: no two rows have the same.
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|_| random.random())));
    let days = times.iter().map(|time| time.div_euclid(24 * HOUR) as i32);
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(days));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
    let columns =
        [("level", levels), ("ms", ms), ("size", sizes), ("id", ids), ("ingested_at", times), ("date", days)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// A view by days and one by hash, and another view over each.
fn modelled() -> [View; 4] {
    let hours = "SELECT date_trunc('hour', ingested_at) AS hour, level, count(*) AS n, sum(ms) AS total, min(ms) AS low, \
                 max(size) AS high, avg(size) AS mean, stddev(ms) AS spread, bool_and(ms > 3) AS slow, \
                 bool_or(ms > 40) AS any_slow, first_value(ms ORDER BY ingested_at, id) AS first, \
                 last_value(ms ORDER BY ingested_at, id) AS last, approx_distinct(ms) AS kinds FROM web GROUP BY 1, 2";
    let levels = "SELECT level, count(*) AS n, count(ms) FILTER (WHERE size > 4) AS known \
                  FROM web GROUP BY level HAVING count(*) > 1";
    let days = "SELECT date_trunc('day', hour) AS day, sum(n) AS n, max(n) AS most, min(low) AS low FROM gold.hours \
                GROUP BY 1";
    let all = "SELECT level IS NULL AS is_unknown, sum(n) AS n, sum(known) AS known, count(*) AS levels FROM gold.levels \
               GROUP BY 1";
    let hashed = |name, sql| View { hash_partitions: 3, ..view(name, sql) };
    [view("hours", hours), hashed("levels", levels), view("days", days), view("all", all)]
}

/// A view's state in memory, as a commit leaves it.
#[derive(Clone, Default)]
struct State {
    /// By partition, and by that of the view below if there is one.
    groups: BTreeMap<(Partition, Partition), Vec<RecordBatch>>,
    /// How many versions of what it reads it accounts for.
    counted: usize,
    /// By version, the partitions that it changed.
    changed: Vec<BTreeSet<Partition>>,
}

impl State {
    fn of(&self, partition: &Partition) -> Vec<RecordBatch> {
        let files = self.groups.iter().filter(|((own, _), _)| own == partition);
        files.flat_map(|(_, groups)| groups.clone()).collect()
    }

    /// Counts the versions of Silver up to `to`, as one commit.
    async fn add(&mut self, plan: &ViewPlan, silver: &[Vec<RecordBatch>], to: usize) {
        let rows: Vec<RecordBatch> = silver[self.counted..to].concat();
        let split = plan.partitioning.split(plan.count_rows(rows).await).unwrap();
        self.changed.push(split.keys().cloned().collect());
        for (partition, mut groups) in split {
            groups.extend(self.of(&partition));
            self.groups.insert((partition, None), plan.merge(groups).await.unwrap());
        }
        self.counted = to;
    }

    /// Counts what changed below, as one commit.
    async fn recount(&mut self, plan: &ViewPlan, below: &Self) {
        let changed: BTreeSet<Partition> = below.changed[self.counted..].concat_all();
        let mut touched = BTreeSet::new();
        for partition in changed {
            self.groups.retain(|(own, of), _| {
                let goes = *of == partition;
                goes.then(|| touched.insert(own.clone()));
                !goes
            });
            let groups = plan.count_groups(&partition, below.of(&partition)).await.unwrap();
            for (own, groups) in plan.partitioning.split(groups).unwrap() {
                touched.insert(own.clone());
                self.groups.insert((own, partition.clone()), plan.merge(groups).await.unwrap());
            }
        }
        self.changed.push(touched);
        self.counted = below.changed.len();
    }

    /// The rows of the Gold table, of which only the partitions that changed are made again.
    async fn show(
        &self,
        plan: &ViewPlan,
        gold: &mut BTreeMap<Partition, Vec<RecordBatch>>,
        shown: &mut usize,
    ) {
        for partition in self.changed[*shown..].concat_all() {
            gold.insert(partition.clone(), plan.finish(self.of(&partition)).await.unwrap());
        }
        *shown = self.changed.len();
    }
}

trait Union {
    fn concat_all(&self) -> BTreeSet<Partition>;
}

impl Union for [BTreeSet<Partition>] {
    fn concat_all(&self) -> BTreeSet<Partition> {
        self.iter().flatten().cloned().collect()
    }
}

/// A lake in memory.
#[derive(Default)]
struct Lake {
    landing: BTreeSet<Object>,
    cursors: HashMap<String, i64>,
    silver: Vec<Vec<RecordBatch>>,
    states: [State; 2],
    gold: [BTreeMap<Partition, Vec<RecordBatch>>; 2],
    shown: [usize; 2],
}

/// A pass was killed.
struct Killed;

impl Lake {
    /// One pass, which may be killed before and after each of its commits, one time in `kill_in`.
    async fn pass(
        &mut self,
        objects: &BTreeMap<Object, RecordBatch>,
        plans: &[Arc<ViewPlan>; 2],
        random: &mut StdRng,
        kill_in: u32,
    ) -> Result<bool, Killed> {
        let may_die = |random: &mut StdRng| match kill_in > 0 && random.random_range(0..kill_in) == 0 {
            true => Err(Killed),
            false => Ok(()),
        };
        let hosts: BTreeSet<usize> = self.landing.iter().map(|(host, _)| *host).collect();
        let mut hosts: Vec<usize> = hosts.into_iter().collect();
        hosts.shuffle(random);
        let mut listing = Vec::new();
        for host in &hosts {
            let mut own: Vec<Object> = self.landing.iter().filter(|(of, _)| of == host).copied().collect();
            own.shuffle(random);
            listing.extend(own);
        }
        let ready = model::plan(&listing, &self.cursors, random.random_range(1..9));
        let mut consumed = ready.passed;
        let mut rest = ready.fold.as_slice();
        while !rest.is_empty() {
            let (slice, others) = rest.split_at(random.random_range(1..=rest.len()));
            may_die(random)?;
            self.silver.push(slice.iter().map(|object| objects[object].clone()).collect());
            slice.iter().for_each(|object| model::note(*object, &mut self.cursors));
            may_die(random)?;
            consumed.extend(slice);
            rest = others;
        }
        while self.states[0].counted < self.silver.len() {
            let to = random.random_range(self.states[0].counted + 1..=self.silver.len());
            may_die(random)?;
            self.states[0].add(&plans[0], &self.silver, to).await;
            may_die(random)?;
        }
        self.states[0].show(&plans[0], &mut self.gold[0], &mut self.shown[0]).await;
        let [below, above] = &mut self.states;
        if above.counted < below.changed.len() {
            may_die(random)?;
            above.recount(&plans[1], below).await;
        }
        may_die(random)?;
        above.show(&plans[1], &mut self.gold[1], &mut self.shown[1]).await;
        for object in consumed {
            may_die(random)?;
            self.landing.remove(&object);
        }
        Ok(ready.more)
    }
}

/// One landing: its objects arrive in any order, some again after they were folded.
async fn try_landing(seed: u64, plans: &[Arc<ViewPlan>; 2], context: &SessionContext) {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut objects = BTreeMap::new();
    for host in 0..random.random_range(1..4) {
        for seq in 1..=random.random_range(1..6) {
            objects.insert((host, seq), batch(random));
        }
    }
    let mut arriving: Vec<Object> = objects.keys().copied().collect();
    let again = random.random_range(0..3);
    arriving.extend((0..again).map(|_| *objects.keys().nth(random.random_range(0..objects.len())).unwrap()));
    arriving.shuffle(random);
    let mut lake = Lake::default();
    while !arriving.is_empty() {
        let some = arriving.split_off(arriving.len() - random.random_range(1..=arriving.len()));
        lake.landing.extend(some);
        let _ = lake.pass(&objects, plans, random, 8).await;
    }
    while let Ok(true) = lake.pass(&objects, plans, random, 0).await {}
    assert!(lake.landing.is_empty(), "seed {seed}: left in the landing: {:?}", lake.landing);

    let all: Vec<RecordBatch> = objects.into_values().collect();
    let table = |rows: Vec<RecordBatch>, schema| Arc::new(MemTable::try_new(schema, vec![rows]).unwrap());
    let of = |name: &str, rows, schema| {
        let _ = context.deregister_table(name).unwrap();
        context.register_table(name, table(rows, schema)).unwrap();
    };
    let schema = all[0].schema();
    of("web", all, schema);
    for (index, plan) in plans.iter().enumerate() {
        let shown: Vec<RecordBatch> = lake.gold[index].values().flatten().cloned().collect();
        of("shown", shown, Arc::clone(&plan.shown));
        let columns =
            plan.shown.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
        let shown = rows(context, &format!("SELECT {columns} FROM shown")).await;
        let direct = rows(context, &plan.view.sql.replace("gold.", "")).await;
        assert_eq!(shown, direct, "seed {seed}, view {}", plan.view.name);
        // What is above is asked of all groups of what is below.
        let gold: Vec<RecordBatch> = lake.gold[index].values().flatten().cloned().collect();
        of(&plan.view.name, gold, Arc::clone(&plan.shown));
    }
}

#[tokio::test]
async fn any_order_slicing_kill_and_duplicate_gives_the_same_gold() {
    let schema = batch(&mut StdRng::seed_from_u64(0)).schema();
    let views = modelled();
    let plan = async |view: &View, input| Arc::new(ViewPlan::new(view, &views, input).await.unwrap());
    let mut pairs = Vec::new();
    for (below, above) in [(&views[0], &views[2]), (&views[1], &views[3])] {
        let below = plan(below, Input::Silver(schema.as_ref().clone())).await;
        let above = plan(above, Input::View(Arc::clone(&below))).await;
        pairs.push([below, above]);
    }
    let context = SessionContext::new();
    for seed in 0..cases() {
        try_landing(seed, &pairs[seed as usize % 2], &context).await;
    }
}
