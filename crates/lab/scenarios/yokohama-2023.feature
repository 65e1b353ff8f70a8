Feature: Yokohama 2023: overload and timeouts (J1)
  Yokohama, 2023-03-27, 11:34 to 11:43. By public reports an overload led to timeouts, a timeout
  released only the lock on the order of printing, and nine people got ten certificates with the
  data of eighteen others (Asahi via japonologie.com; legalconnect-g.com).

  The invariant it forces: an answer is usable only by the terminal, the operator and the request
  whose digest is bound into it. Late answers to requests that were given up arrive among the others
  and belong to nobody.

  Scenario: Answers never cross while the relay stands still and clerks give up
    Given "住民たち" are 24 residents of 国立市
    When the clerk of 日本年金機構 asks about everybody of "住民たち" at once, 5 times over, for affair 1-74-1, case "横浜-1", while exchange-national stands still for 3000 ms and whoever waits 2500 ms gives up and asks again
    Then every answer is about the one who was asked for
    And some had given up
    And everybody is answered at last

  Scenario: Many inquiries at once, and each gets its own answer
    Given "窓口の列" are 24 residents of 国立市
    When the clerk of 日本年金機構 asks about everybody of "窓口の列" at once, 10 times over, for affair 1-74-1, case "横浜-2"
    Then every answer is about the one who was asked for
    And everybody is answered at last
    And the ledger of センター holds 240 provisions of case "横浜-2"

  Scenario: A terminal does not take the answer to somebody else's question
    Given "横浜 優" is a resident of 国立市
    And "横浜 翔" is a resident of 国立市
    When a terminal of 日本年金機構 that asked about "横浜 優" is handed the answer about "横浜 翔", affair 1-74-1, case "横浜-3"
    Then the terminal does not take it
    And nothing is shown
