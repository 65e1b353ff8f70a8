"""The HTTP service of the peer of B1: one provision for one request, audited in the same transaction.

Started by the harness, one process for each core, behind nginx. One statement finds at most 51
residents, writes one audit row for each (one without a code where nobody is found) and returns them;
the answer leaves after its commit. More than fifty are refused, and the refusal is audited too.
"""

import os

import asyncpg
import orjson

FOUND = """
WITH found AS MATERIALIZED (
    SELECT code, name, kana, address, sex, birth FROM resident WHERE {where} LIMIT 51),
logged AS (
    INSERT INTO audit (client, operator, affair, case_number, code)
    SELECT $1, $2, $3, $4, found.code FROM (SELECT) AS one LEFT JOIN found ON true)
SELECT code, name, kana, address, sex, birth FROM found
"""
BY_CODE = FOUND.format(where="code = $5")
BY_BIRTH = FOUND.format(where="name_key = $5 AND birth = $6")
BY_ADDRESS = FOUND.format(where="name_key = $5 AND address_key = $6")
PERSONS_MAX = 50
POOL_CONNECTIONS = 16
HEADERS = [(b"content-type", b"application/json")]

pool = None


async def lifespan(receive, send):
    global pool
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            pool = await asyncpg.create_pool(
                host=os.environ["PEER_DATABASE"], user="postgres", database="postgres",
                min_size=POOL_CONNECTIONS, max_size=POOL_CONNECTIONS,
                max_inactive_connection_lifetime=0, max_queries=10**9)
            await send({"type": "lifespan.startup.complete"})
        else:
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def provision(client, asked):
    if not (asked["operator"] and asked["affair"] and asked["case"]):
        return 400, {"rule": "operator, affair and case number are needed"}
    who = (client, asked["operator"], asked["affair"], asked["case"])
    async with pool.acquire() as connection:
        if "code" in asked:
            rows = await connection.fetch(BY_CODE, *who, int(asked["code"]))
        elif "birth" in asked:
            rows = await connection.fetch(BY_BIRTH, *who, asked["name_key"], asked["birth"])
        else:
            rows = await connection.fetch(BY_ADDRESS, *who, asked["name_key"], asked["address_key"])
    if len(rows) > PERSONS_MAX:
        return 403, {"rule": "more than fifty"}
    return 200, [[str(row[0]).zfill(11), *row[1:]] for row in map(tuple, rows)]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = dict(scope["headers"])
    try:
        client = headers.get(b"x-client", b"").decode()
        status, answer = await provision(client, orjson.loads(body))
    except (KeyError, ValueError):
        status, answer = 400, {"rule": "no such inquiry"}
    answer = orjson.dumps(answer)
    await send({"type": "http.response.start", "status": status,
                "headers": [*HEADERS, (b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})
