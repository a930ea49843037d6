//! The writer thread of a machine: jobs in their order, each taking its time.

use cocli_node::replica::{Begun, Input, Job, JobDone, Part, Syncing};

use crate::world::{Event, World};

const MS: u64 = 1000;

impl World {
    /// The writer begins its next job.
    pub(crate) fn next_job(&mut self, at: usize) {
        let life = self.machines[at].life;
        let Some(daemon) = self.machines[at].daemon.as_mut() else { return };
        if daemon.busy {
            return;
        }
        let Some(job) = daemon.jobs.take() else { return };
        daemon.busy = true;
        let delay = self.chance.between(0, self.options.disk_ms * MS / 2);
        self.after(delay, Event::JobRuns { at, life, job: Box::new(job) });
    }

    pub(crate) fn run_job(&mut self, at: usize, life: u64, job: Job) {
        let wall = self.wall_of(at);
        if self.machines[at].life != life {
            return;
        }
        let Some(daemon) = self.machines[at].daemon.as_mut() else { return };
        let begun = daemon.writer.begin(job, "daemon", wall);
        let delay = self.chance.between(0, self.options.disk_ms * MS / 2);
        match begun {
            Begun::Done(done) => {
                self.note_cut(at, &done);
                self.after(delay, Event::JobDone { at, life, done: Box::new(done) });
            }
            Begun::Syncing(syncing) => {
                daemon.jobs.sync_begins();
                daemon.busy = false;
                self.after(delay, Event::SyncRuns { at, life, syncing: Box::new(syncing) });
                self.next_job(at);
            }
        }
    }

    /// The disk has done what the sync waited for.
    pub(crate) fn sync_runs(&mut self, at: usize, life: u64, syncing: Syncing) {
        if self.machines[at].life != life {
            return;
        }
        let Some(daemon) = self.machines[at].daemon.as_mut() else { return };
        daemon.jobs.sync_ends();
        let done = daemon.writer.end(syncing.run(), "daemon");
        self.note_cut(at, &done);
        self.take_done(at, done);
    }

    pub(crate) fn job_done(&mut self, at: usize, life: u64, done: JobDone) {
        if self.machines[at].life != life {
            return;
        }
        if let Some(daemon) = &mut self.machines[at].daemon {
            daemon.busy = false;
        }
        self.take_done(at, done);
    }

    fn take_done(&mut self, at: usize, done: JobDone) {
        self.note(|| format!("{at}: {done:?}"));
        self.step(at, Input::Done(done));
        self.next_job(at);
    }

    /// The keeper's thread takes a part that came over a call.
    pub(crate) fn keeps(&mut self, at: usize, life: u64, call: u64, part: Part) {
        if self.machines[at].life != life {
            return;
        }
        let Some(daemon) = self.machines[at].daemon.as_mut() else { return };
        let came = daemon.keeper.keep(call, part);
        self.note(|| format!("{at}: {came:?}"));
        self.step(at, Input::Kept { call, came });
    }

    /// What a daemon has done by a process of its own: joins the checkpoint that came, if one is whole.
    pub(crate) fn join(&mut self, at: usize, life: u64) {
        if self.machines[at].life != life {
            return;
        }
        let joined = self.machines[at].join(self.cluster, self.wall_of(at));
        self.note(|| format!("{at}: joins {joined:?}"));
        if joined.is_ok_and(|joined| joined) {
            self.report.joins += 1;
            self.step(at, Input::Joined);
        } else if self.machines[at].disk.peek(cocli_store::paths::INCOMING_WHOLE).is_some() {
            // The disk refused, or a log was cut meanwhile.
            self.after(10 * 1000 * MS, Event::Join { at, life });
        }
    }

    pub(crate) fn join_later(&mut self, at: usize) {
        let life = self.machines[at].life;
        let delay = self.chance.between(0, self.options.disk_ms * MS);
        self.after(delay, Event::Join { at, life });
    }

    /// A job may have made a log shorter: on the disk it is so before anybody is told, and the power may
    /// go in between.
    fn note_cut(&mut self, at: usize, done: &JobDone) {
        match done {
            JobDone::Aside { log, .. } => {
                self.report.asides += 1;
                self.machines[at].cut.insert(log.clone());
            }
            // It was cut off in the middle of that.
            JobDone::Failed { job: Job::Aside { log, .. } | Job::Doubt { log, .. }, .. } => {
                self.machines[at].cut.insert(log.clone());
            }
            JobDone::NewEpoch { .. } | JobDone::Rescanned { .. } if self.closes(at, done) => {
                let Some(daemon) = &self.machines[at].daemon else { return };
                let own = daemon.replica.own();
                let kin = daemon.shown.0.keys().filter(|log| log.is_kin(own)).cloned();
                let kin: Vec<_> = kin.chain([own.clone()]).collect();
                self.machines[at].cut.extend(kin);
            }
            _ => {}
        }
    }

    /// Whether the own log is another one from now on.
    fn closes(&self, at: usize, done: &JobDone) -> bool {
        let daemon = self.machines[at].daemon.as_ref();
        let (JobDone::NewEpoch { log: now, .. } | JobDone::Rescanned { own: now, .. }) = done
        else {
            return false;
        };
        daemon.is_some_and(|daemon| !daemon.replica.own().is_kin(now))
    }
}
