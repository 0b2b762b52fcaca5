"""An ordinary day: connections that end as they should, by the ten thousand, in which nothing may be called a fault.

    python -m tests.lab.ordinary FOLDER --closes 100000      record a day and analyse it (root, nginx, tcpdump, openssl)
    python -m tests.lab.ordinary FOLDER --only               analyse what is recorded there

Host B runs nginx, with and without TLS, and four small servers (`servers.py`); clients on host A (`clients.py`) go
through what people's clients do: keep-alive, both orders of closing, half-closes, uploads, slow answers, greetings,
health checks of load balancers that close or reset. `day.pcap.gz` and `late.pcap.gz` are short connections of a small
day (`--closes 3000 --sample`), analysed by a test.

Idle connections of minutes would take hours, so nginx closes them after 2 s here. In a recording of their own, the
silence of each is then lengthened to between 58 and 76 s: later packets of that connection come so much later.
"""
