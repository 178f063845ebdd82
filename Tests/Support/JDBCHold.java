import java.sql.*;
import org.postgresql.util.PSQLWarning;

/**
 * Runs one statement with a parameter, which may wait for an approval, and tells what came of it, a line each: "rows N" or
 * "error SQLSTATE MESSAGE", "warning MESSAGE DETAIL" for each that it was told, and "after 1" when the session goes on.
 *
 * <p>usage: JDBCHold.java SQL NUMBER [cancel|leave]: what it does as soon as it is told that it waits.
 */
public class JDBCHold {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE")
            + "?sslmode=" + System.getenv("PGSSLMODE");
        String act = arguments.length > 2 ? arguments[2] : "";
        try (Connection connection = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
            try (PreparedStatement statement = connection.prepareStatement(arguments[0])) {
                statement.setInt(1, Integer.parseInt(arguments[1]));
                if (!act.isEmpty()) {
                    onceTold(statement, act);
                }
                try {
                    System.out.println("rows " + statement.executeUpdate());
                } catch (SQLException error) {
                    System.out.println("error " + error.getSQLState() + " " + error.getMessage());
                }
                for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                    String detail = warning instanceof PSQLWarning ? ((PSQLWarning) warning).getServerErrorMessage().getDetail() : null;
                    System.out.println("warning " + warning.getMessage() + " " + detail);
                }
            }
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery("SELECT 1")) {
                result.next();
                System.out.println("after " + result.getInt(1));
            }
        }
    }

    /** A notice reaches the statement while it still waits. */
    private static void onceTold(Statement statement, String act) {
        Thread watcher = new Thread(() -> {
            try {
                while (statement.getWarnings() == null) {
                    Thread.sleep(10);
                }
                if (act.equals("leave")) {
                    Runtime.getRuntime().halt(0);
                }
                statement.cancel();
            } catch (Exception error) {
                System.out.println("watcher " + error);
            }
        });
        watcher.setDaemon(true);
        watcher.start();
    }
}
