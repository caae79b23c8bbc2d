"""The fact tables: few, canonical, the same for every target."""

from __future__ import annotations

from paydrill.evidence.schema import Table, parse_columns

INTENT = Table(
    "intent",
    2,
    "fact",
    ("intent",),
    "One thing that a customer wants: one cart, one consented amount. From the client's history.",
    parse_columns("""
        intent int! id, printed `i12`
        customer text the customer's name at the target
        client_ref text the cart's id as sent to the target; unique per intent
        cls text traffic class of the load
        arrival int the first intent of the same arrival: its own id, unless it is a second wish
        retries int how often its client repeats an unknown answer; 0 = gives up
        amount int! consented amount, minor units
        currency text! ISO code, capitals
        items text JSON list of {sku, qty}
        t_ns int! when it was made
        due_ns int when it was planned to arrive
        dropped bool! the load generator's pool was full: never sent, counted
        done_ns int when its client had finished with it; null = never
        done_outcome text ok, fail or info, as the client saw it at that time
    """),
)
INTENT_TOKEN = Table(
    "intent_token",
    2,
    "fact",
    ("token",),
    "Payment tokens that the harness issued, one per intent and key: what ties a charge to its intent.",
    parse_columns("""
        token int! id; on the wire `pm_pd_<token>`, perhaps with how the card behaves after it
        intent int! whose it is
        try_no int which try of the intent, from 1
        issued_ns int! when it was issued
        revoked_ns int when it was revoked; null = never
        saved int number of the saved card that pays instead, which several intents share: the PSP knows only that, and a charge is told apart by its amount; null = a card of its own
        amount int minor units that this token may be charged, for a saved card
        currency text of that amount
    """),
)
OP = Table(
    "op",
    2,
    "fact",
    ("op",),
    "One client operation: invoke and return folded. No return = info.",
    parse_columns("""
        op int! id, printed `op71`
        intent int whose it is
        kind text! create, pay, cancel, refund, challenge (at the PSP), read, final, admin or probe
        caller text who asked: the customer, or somebody of the support
        route text method and path, without the query
        idem_key text idempotency key that was sent
        body text hash of the body that was sent
        token int payment token that was sent
        order_ref text the order that was asked for, else the one in the answer
        amount int minor units, as sent
        currency text as sent
        due_ns int intended start; latency counts from here
        t_inv_ns int! written before the send
        t_ret_ns int when the answer was there; null = open
        outcome text! ok, fail (definitely no effect) or info (unknown)
        executed bool! the answer shows that the operation was carried out: it settles earlier infos of its key
        status int HTTP status
        err text transport error: timeout, refused, reset, eof, stopped
        code text error code in the body
        said text the order's or payment's state in the answer
        said_class text that state's class by run.json's state_classes; null = not mapped
        said_paid bool! the answer said that the money was taken: its state is of class paid, or is unmapped and one of paid_states, or it is 200 to a payment and names no known state that says otherwise
        said_amount int minor units, in the answer
        said_currency text in the answer
        said_version int in the answer
        resp text hash of the answer's body
        strong bool! asked for a strong read
        node text node that answered, where it tells
        try_no int which try of the intent
        refund_ref text name that the asker gave a refund: asked twice by one name it is one refund
        replayed bool the answer said that it is the kept one of an earlier request
    """),
)
PSP_EFFECT = Table(
    "psp_effect",
    1,
    "fact",
    ("eff",),
    "What the PSP did with money. From its own journal: the truth.",
    parse_columns("""
        eff int! id, printed `eff12`
        psp text! which PSP
        pi text the PSP's object
        token int harness token (of a saved card: the one whose amount it is); null = not one of ours
        kind text! auth, capture, release, expire, refund, chargeback or decline
        by_psp bool! the PSP's own doing, nobody asked for it
        status text! done, pending or failed
        amount int! minor units
        currency text! ISO code, capitals
        req int request that caused it
        t_ns int! when it was committed
    """),
)
PSP_REQUEST = Table(
    "psp_request",
    1,
    "fact",
    ("req",),
    "Every request that reached the PSP, also those that it dropped or refused.",
    parse_columns("""
        req int! id, printed `req9`
        psp text! which PSP
        op text method and path
        money bool! may move money
        idem_key text as received
        body text hash of its parameters
        token int harness token in it
        pi text PSP object in it
        t_edge_ns int first byte at the proxy before the PSP; null = not measured
        t_recv_ns int! when the PSP had it
        t_ans_ns int when the answer left or was dropped; null = never
        status int HTTP status of the answer
        delivered bool false = dropped, or the caller was gone
        stopped_by text null, or why nothing was executed: replay, conflict, validation
        decision text behaviour drawn for it
    """),
)
SUT_FACT = Table(
    "sut_fact",
    1,
    "fact",
    ("snap", "source", "kind", "ref"),
    "What the target says about its objects. A suspect: compared, never believed.",
    parse_columns("""
        snap int! number of the reading, counting up
        source text! where it was read, such as `db-1`
        kind text! order, payment, refund or another object of the target
        ref text! the target's id
        parent text ref of the object that it belongs to (a payment's order)
        intent int resolved by client_ref, else by an order_ref of an answer, else by its parent
        client_ref text the cart's id that the target keeps
        state text the target's word
        class text open, paid, failed, cancelled, refunded or review by run.json's state_classes; null = not mapped
        amount int minor units
        currency text ISO code, capitals
        version int the target's version of the row
        read_ns int! when the reading began
        row_hash text! hash of the row as read
    """),
)
TRANSITION = Table(
    "transition",
    1,
    "fact",
    ("kind", "ref", "seq"),
    "Changes of state, from the target's history tables.",
    parse_columns("""
        kind text! kind of object
        ref text! its id
        seq int! 1, 2, 3 per object
        intent int resolved as in sut_fact
        from text null for the first
        to text! the new state
        cause text what changed it
        cause_ref text id of the cause
        t_sut_us int the target's clock, microseconds; shown, never compared
    """),
)
DELIVERY = Table(
    "delivery",
    1,
    "fact",
    ("delivery",),
    "Events that reached the fulfilment receiver.",
    parse_columns("""
        delivery int! id, in order of arrival
        event_ref text id of the event
        order_ref text the order
        intent int resolved by order_ref
        kind text such as `order.paid`
        seq int the sender's number per order
        t_ns int! when it arrived
    """),
)
WEBHOOK = Table(
    "webhook",
    1,
    "fact",
    ("attempt",),
    "Every try of the PSP to deliver an event.",
    parse_columns("""
        attempt int! id
        event text! event id
        type text such as `payment_intent.succeeded`
        seq int the PSP's number of the event
        pi text PSP object
        token int harness token
        variant text! genuine, dup, forged, stale or replayed
        t_sent_ns int! when it was sent
        t_ack_ns int when it was answered; null = never
        status int HTTP status of the answer
    """),
)
ALERT = Table(
    "alert",
    1,
    "fact",
    ("alert",),
    "Alerts of the target's monitoring.",
    parse_columns("""
        alert int! id
        name text! its name
        class text what it tells of
        t_fire_ns int! when it fired
        t_clear_ns int when it cleared; null = still firing
    """),
)
TIMELINE = Table(
    "timeline",
    1,
    "fact",
    ("ev",),
    "What the harness did: phases, faults, heals, restarts, snapshots, the PSP's freeze.",
    parse_columns("""
        ev int! id, in order of time
        kind text! phase, fault, heal, witness, freeze, restart, promotion, restore, snapshot, psp_freeze, load_end and others
        name text fault, phase or instrument
        place text where it hit
        class text detail that programs read: a witness' kind, an abort's code
        t_start_ns int! when it began
        t_end_ns int when it ended (a fault: healed); null = did not end, or has no length
        value int a number: fault id, snapshot number, journal lines, open work
        detail text for people
    """),
)
LOG_HIT = Table(
    "log_hit",
    1,
    "fact",
    ("hit",),
    "Places where a secret that the harness planted was found.",
    parse_columns("""
        hit int! id
        canary text! which secret
        place text! file or table
        line int line or row
        form text plain, base64, url
    """),
)
READING = Table(
    "reading",
    1,
    "fact",
    ("tbl", "source", "snap"),
    "What was really read: an empty table is not the same as nobody looked.",
    parse_columns("""
        tbl text! table
        source text! where from: history, psp, timeline, or a node
        snap int! number of the reading
        t_from_ns int! when the reading began
        t_to_ns int! when it ended
        rows int! how many rows it gave
        complete bool! nothing is missing
        version int! version of the table's schema
        error text why it is not complete
    """),
)
TABLES = (
    INTENT,
    INTENT_TOKEN,
    OP,
    PSP_EFFECT,
    PSP_REQUEST,
    SUT_FACT,
    TRANSITION,
    DELIVERY,
    WEBHOOK,
    ALERT,
    TIMELINE,
    LOG_HIT,
    READING,
)
