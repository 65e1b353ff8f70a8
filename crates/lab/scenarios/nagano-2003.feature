Feature: Nagano 2003: an attacker on the municipal LAN (J10)
  Nagano, 2003. In an experiment of the prefecture, administrator rights on the server of a resident
  register were reached from the municipal LAN in about one hour: default passwords, missing
  patches, a firewall passed. By one report the monitoring center raised no alarm while a cable was
  unplugged; by another (Yomiuri 2003-12-06, second-hand) its firewall did (pref.nagano kekka.html;
  itpro 20031216/137579, 20040301/140708; ws4chr-j.org).

  The invariant it forces: LAN and communication server are taken for hostile, and the loss of the
  monitor's heartbeat isolates the server. What exists: nothing foreign gets a byte, a terminal of
  another office is not let in, whoever has the server's disk has nobody's data, and a node that is
  cut off gets no answer anywhere.

  Scenario: HTTP gets not one byte
    When somebody on the network of municipality-132152 speaks HTTP to it
    Then not one byte comes back

  Scenario: The disk of the communication server names nobody
    Given "長野 環" is a resident of 国立市
    And "長野 望" is born in 国立市
    When the disk of municipality-132152 is stolen
    Then the stolen files name nobody
    When the thief opens it with the token of municipality-132047
    Then it fails

  Scenario: A server that was cut off is answered nowhere
    Given "長野 遥" is a resident of 三鷹市
    When the center cuts municipality-132152 off
    And the clerk of 国立市 asks about "長野 遥" by record code for affair 2-1-1, case "長野-1"
    Then there is no answer
    And nothing is shown
    When the center lets municipality-132152 in again
    And "長野 遥" moves within the municipality
    Then the tiers agree within 60 s

  Scenario: An altered ledger is noticed
    When one byte of the ledger of municipality-132152 is altered on its disk
    Then ledger verify notices it at municipality-132152
    And fsck notices it at municipality-132152

  @not-yet:heartbeat
  Scenario: The loss of the monitor's heartbeat isolates the server
    Then there is a command "monitor"
