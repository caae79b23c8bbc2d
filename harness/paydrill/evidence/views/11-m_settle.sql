-- What an open or lost operation is known to have been: the first *executed* answer for the same
-- caller, route, key and body that came after it was sent. Sheds, conflicts and refusals settle nothing.
SELECT lost.op, arg_min(answer.outcome, answer.t_ret_ns) AS outcome, arg_min(answer.op, answer.t_ret_ns) AS by_op
FROM m_rep AS lost
JOIN m_rep AS answer
  ON answer.same_key = lost.same_key AND answer.op <> lost.op
WHERE lost.outcome = 'info' AND answer.executed AND answer.outcome <> 'info' AND answer.t_ret_ns > lost.t_inv_ns
GROUP BY lost.op
