import java.sql.*;

/** Runs one statement with a parameter, which may wait for an approval, and tells what came of it. */
public class JDBCHold {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE")
            + "?sslmode=" + System.getenv("PGSSLMODE");
        try (Connection connection = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
            try (PreparedStatement statement = connection.prepareStatement(arguments[0])) {
                statement.setInt(1, Integer.parseInt(arguments[1]));
                try {
                    System.out.println("rows " + statement.executeUpdate());
                } catch (SQLException error) {
                    System.out.println("error " + error.getSQLState() + " " + error.getMessage());
                }
                for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                    System.out.println("warning " + warning.getMessage());
                }
            }
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery("SELECT 1")) {
                result.next();
                System.out.println("after " + result.getInt(1));
            }
        }
    }
}
