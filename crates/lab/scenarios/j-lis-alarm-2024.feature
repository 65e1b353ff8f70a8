Feature: J-LIS 2024: an alarm that nobody acted upon (J4)
  By a public report the operating organization detected a fault, notified of the wrong issue, and
  nobody acted (net-tokuhou.com).

  The invariant it forces: an alarm needs an acknowledgement with a deadline, else the path stops by
  itself. What exists today: the monitoring room sees who has not been heard. What does not: alarms
  are counted and nothing waits for anybody.

  Scenario: The monitoring room sees a node that has fallen silent
    When municipality-202207 is killed
    Then within 25 s the monitoring room has not heard municipality-202207 for 7000 ms
    When municipality-202207 starts again
    Then the tiers agree within 20 s

  @not-yet:alarms
  Scenario: An alarm that nobody acknowledges stops the path at its deadline
    Then there is a command "alarm acknowledge"
