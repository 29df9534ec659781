//! Which rows a table shows and in which order, computed beside the frame where there are many.
//!
//! Promises: a frame never sorts more than a few thousand rows itself; the newest wish wins; until it is met the old order stays.
//!
//! Read next: `grid.rs`.

use std::sync::Arc;
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
    coming: Option<(Wish, Receiver<Vec<u32>>)>,
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
        let asked = self.coming.as_ref().map_or(&self.met, |(asked, _)| asked);
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
        let Some((wish, receiver)) = &self.coming else { return };
        match receiver.try_recv() {
            Ok(rows) => {
                self.rows = Arc::new(rows);
                self.met = wish.clone();
                self.coming = None;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.coming = None,
        }
    }

    fn start(&mut self, ctx: &egui::Context, table: &Arc<Table>, wish: &Wish) {
        if table.rows() <= INLINE {
            self.rows = Arc::new(compute(table, wish));
            self.met = wish.clone();
            self.coming = None;
            return;
        }
        let (sender, receiver) = sync_channel(1);
        let (table, wanted, ctx) = (Arc::clone(table), wish.clone(), ctx.clone());
        std::thread::spawn(move || {
            // Nobody takes it any more if a newer wish came; then it is dropped.
            let _ = sender.send(compute(&table, &wanted));
            ctx.request_repaint();
        });
        self.coming = Some((wish.clone(), receiver));
    }
}

fn compute(table: &Table, wish: &Wish) -> Vec<u32> {
    let rows = table.matching(&wish.find);
    match wish.sort {
        Some((column, descending)) => table.sorted(column, descending, &rows),
        None => rows,
    }
}
