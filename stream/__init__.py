"""skustream: raw product photos in, finished and re-hosted assets out. Nothing lost, nothing bought twice.

The walk of one event, which is also the order in which to read the files:

    broker.poll                 raw record in (bytes, partition, offset)
     → inflight.admit           a ticket in the lane of this assignment; full lane → partition paused
     → events.read              bytes → event, or Rejected with the exact field and reason
     → stages.<name>.handle     event + desk → outcome          (the only business code)
         ledger.look              settled → reuse; accepted → adopt; ambiguous → stop
         quota.admit              rate + running jobs, decided at once
         ledger.claim             conditional write, only just before the POST; a lost claim gives the grant back
         pixelapi.submit / poll   the job id made durable before the first poll
         objects.put              downloaded at once, checked, re-hosted
         ledger.settle            outcome durable
     → deliver                  next topic, or a letter; with the offsets, in one Kafka transaction
     → inflight.settle          lowest open ticket moved → committable offset, gaps kept in commit metadata

Nothing calls back up. A stage never sees Kafka, offsets, retries or Prometheus.

To use it as a library: `assembly.run_worker` and `settings.load` for a worker, `stages.local.DrawnOperation` and
`stages.bought.BoughtOperation` for a stage of your own, `records.Terminal` for what comes back; see docs/library.md.
"""
