//! Which rows a table shows and in which order, computed beside the frame where there are many.
//!
//! Promises: a frame never sorts more than a few thousand rows itself; the newest wish wins and ends the work on the one before it, so
//! that typing never piles work up; until it is met the old order stays.
//!
//! Read next: `grid.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use eframe::egui;

use crate::data::table::Table;

/// Rows that are ordered within a frame.
const INLINE: usize = 10_000;

/// What a person wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Column and direction (true is descending); none is the order of the answer.
    pub sort: Option<(usize, bool)>,
    /// Rows with a cell that contains this.
    pub find: String,
}

/// Rows of a table in the order shown.
#[derive(Debug, Default)]
pub struct Order {
    table: Option<Arc<Table>>,
    met: Wish,
    rows: Arc<Vec<u32>>,
    coming: Option<Coming>,
}

/// An order that is being computed.
#[derive(Debug)]
struct Coming {
    wish: Wish,
    rows: Receiver<Vec<u32>>,
    /// Set once nobody waits for it any more.
    stale: Arc<AtomicBool>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.stale.store(true, Ordering::Relaxed);
    }
}

impl Order {
    /// The rows to show for `table` and `wish`; possibly still those of an earlier wish.
    pub fn rows(&mut self, ctx: &egui::Context, table: &Arc<Table>, wish: &Wish) -> Arc<Vec<u32>> {
        let same = self.table.as_ref().is_some_and(|known| Arc::ptr_eq(known, table));
        if !same {
            self.table = Some(Arc::clone(table));
            self.coming = None;
            self.rows = Arc::new((0..u32::try_from(table.rows()).unwrap_or(u32::MAX)).collect());
            self.met = Wish::default();
        }
        self.receive();
        let asked = self.coming.as_ref().map_or(&self.met, |coming| &coming.wish);
        if asked != wish {
            self.start(ctx, table, wish);
        }
        Arc::clone(&self.rows)
    }

    /// The rows shown last.
    #[must_use]
    pub fn shown(&self) -> &[u32] {
        &self.rows
    }

    /// Whether a newer order is being computed.
    #[must_use]
    pub fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    fn receive(&mut self) {
        let Some(coming) = &self.coming else { return };
        match coming.rows.try_recv() {
            Ok(rows) => {
                self.rows = Arc::new(rows);
                self.met = coming.wish.clone();
                self.coming = None;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.coming = None,
        }
    }

    fn start(&mut self, ctx: &egui::Context, table: &Arc<Table>, wish: &Wish) {
        self.coming = None;
        let never = AtomicBool::new(false);
        if table.rows() <= INLINE
            && let Some(rows) = compute(table, wish, &never)
        {
            self.rows = Arc::new(rows);
            self.met = wish.clone();
            return;
        }
        let (sender, rows) = sync_channel(1);
        let stale = Arc::new(AtomicBool::new(false));
        let (table, wanted, ctx, given_up) = (Arc::clone(table), wish.clone(), ctx.clone(), Arc::clone(&stale));
        std::thread::spawn(move || {
            if let Some(rows) = compute(&table, &wanted, &given_up) {
                // Nobody takes it any more if a newer wish came; then it is dropped.
                let _ = sender.send(rows);
                ctx.request_repaint();
            }
        });
        self.coming = Some(Coming { wish: wish.clone(), rows, stale });
    }
}

/// The order of a wish; nothing once it is stale.
fn compute(table: &Table, wish: &Wish, stale: &AtomicBool) -> Option<Vec<u32>> {
    let rows = table.matching(&wish.find, stale)?;
    Some(match wish.sort {
        Some((column, descending)) => table.sorted(column, descending, &rows),
        None => rows,
    })
}
