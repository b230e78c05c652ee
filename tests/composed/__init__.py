"""What is composed, counted from outside: worker processes, real Kafka, a real S3 server, a provider that misbehaves.

`plant` starts and breaks things, `auditor` counts in the topics, in the store and at the provider, and shares no code
with the runtime. A file of tests for each law; README.md says which test stands for which trap of our peers.
"""
