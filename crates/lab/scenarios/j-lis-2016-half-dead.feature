Feature: J-LIS October 2016: half of a machine dies (J6)
  J-LIS, 2016-10-22. By public reports one RAID controller failed and a quarter of the municipalities
  had no card menus for three hours; on 2016-05-02 a morning of timeouts (itpro 16/102503115,
  16/050201292).

  The invariant it forces: what is down holds up nobody else, and nothing that was acknowledged is
  lost. What does not exist: a spare that takes over by itself.

  Scenario: A prefecture stands still, its municipalities go on recording, and all is caught up
    Given "半死 守" is a resident of 松本市
    When prefecture-20 stands still
    And "半死 守" moves within the municipality
    Then the notice is taken
    When prefecture-20 goes on
    Then the tiers agree within 30 s
    When the clerk of 日本年金機構 asks about "半死 守" by record code for affair 1-74-1, case "半死-1"
    Then the answer is exactly "半死 守"
    And the answer says the reason moved-within

  Scenario: A prefecture dies, another one's residents are answered, and it comes back whole
    Given "半死 進" is a resident of 三鷹市
    When prefecture-20 is killed
    And the clerk of 日本年金機構 asks about "半死 進" by record code for affair 1-74-1, case "半死-2"
    Then the answer is exactly "半死 進"
    When prefecture-20 starts again
    Then fsck finds prefecture-20 sound
    And ledger verify finds prefecture-20 sound
    And the tiers agree within 30 s

  @not-yet:failover
  Scenario: A spare takes over and the center knows of a change at once
    Given "半死 渡" is a resident of 松本市
    When prefecture-20 stands still
    And "半死 渡" moves within the municipality
    And the clerk of 日本年金機構 asks about "半死 渡" by record code for affair 1-74-1, case "半死-3"
    Then the answer says the reason moved-within
