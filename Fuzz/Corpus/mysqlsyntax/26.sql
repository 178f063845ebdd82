DELETE FROM t -- x
 WHERE id = 1