Feature: J-LIS January 2016: a relay that stands still (J5)
  J-LIS, 2016-01-13 to 25, on six days. By public reports a poll of a hardware monitor swallowed the
  reply of a tamper-resistant device on the same core, the load balancer did not shift, and
  connections ran into their cap (itpro 16/042801270, 16/011900157, 16/012600249).

  The invariant it forces: slow is dead, waiting has a deadline, a late reply is never matched to
  another request, and who waits for one thing strands nobody else. The device itself is a file in
  the country of these scripts, so that it cannot stand still here; the relay can.

  Scenario: Tokyo's relay stands still and the others go on
    Given "中継 明" is a resident of 三鷹市
    And "中継 光" is a resident of 松本市
    When exchange-13 stands still
    And the clerk of 日本年金機構 asks about "中継 光" by record code for affair 1-74-1, case "中継-1"
    Then the answer is exactly "中継 光"
    When the clerk of 国立市 asks about "中継 明" by record code for affair 2-1-1, case "中継-2"
    Then there is no answer
    And nothing is shown
    When exchange-13 goes on
    And the clerk of 国立市 asks about "中継 明" by record code for affair 2-1-1, case "中継-3"
    Then the answer is exactly "中継 明"

  @not-yet:failover
  Scenario: Another relay takes over within three seconds
    Given "中継 翼" is a resident of 三鷹市
    When exchange-13 is killed
    And the clerk of 国立市 asks about "中継 翼" by record code for affair 2-1-1, case "中継-4"
    Then the answer is exactly "中継 翼"
