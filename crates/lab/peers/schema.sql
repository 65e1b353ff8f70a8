-- The register and the audit table of the peer of B1: plain rows, keys for the three ways to ask.
CREATE TABLE resident (code bigint PRIMARY KEY, name text NOT NULL, kana text NOT NULL,
    address text NOT NULL, sex text NOT NULL, birth text NOT NULL, name_key text NOT NULL,
    address_key text NOT NULL);
CREATE TABLE audit (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
    client text NOT NULL, operator text NOT NULL, affair text NOT NULL, case_number text NOT NULL,
    code bigint);
