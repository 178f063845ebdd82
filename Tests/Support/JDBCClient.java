import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** What a Java application does with a connection, one fact a line. Usage: JDBCClient TABLE; the way in is PGHOST and so on. */
public class JDBCClient {
    public static void main(String[] arguments) throws SQLException {
        String table = arguments[0];
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE").equals("disable") ? "disable" : "require");
        properties.setProperty("ApplicationName", "jdbc-test");
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            create(connection, table);
            insertInBatches(connection, table);
            selectPrepared(connection, table);
            readInPieces(connection, table);
            rollBack(connection, table);
            System.out.println("product " + connection.getMetaData().getDatabaseProductName());
            drop(connection, table);
        }
    }

    private static void create(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE " + table + " (id integer PRIMARY KEY, name text, price numeric(10, 2), at timestamptz)");
        }
    }

    private static void insertInBatches(Connection connection, String table) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?, ?, now())")) {
            for (int id = 0; id < 300; id++) {
                insert.setInt(1, id);
                insert.setString(2, id % 3 == 0 ? null : "name " + id);
                insert.setBigDecimal(3, new BigDecimal(id).movePointLeft(2));
                insert.addBatch();
            }
            System.out.println("inserted " + insert.executeBatch().length);
        }
    }

    /** Six runs and more: the driver then prepares by name and asks for binary results. */
    private static void selectPrepared(Connection connection, String table) throws SQLException {
        StringBuilder found = new StringBuilder("prepared");
        try (PreparedStatement select = connection.prepareStatement("SELECT id, name, price FROM " + table + " WHERE id = ?")) {
            for (int id = 1; id < 15; id++) {
                select.setInt(1, id);
                try (ResultSet row = select.executeQuery()) {
                    row.next();
                    found.append(' ').append(row.getInt(1)).append(':').append(row.getString(2)).append(':').append(row.getBigDecimal(3));
                }
            }
        }
        System.out.println(found);
    }

    private static void readInPieces(Connection connection, String table) throws SQLException {
        connection.setAutoCommit(false);
        long sum = 0;
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(17);
            try (ResultSet rows = statement.executeQuery("SELECT id FROM " + table + " ORDER BY id")) {
                while (rows.next()) sum += rows.getInt(1);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
        System.out.println("pieces " + sum);
    }

    private static void rollBack(Connection connection, String table) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("DELETE FROM " + table + " WHERE id > 10");
            connection.rollback();
            connection.setAutoCommit(true);
            try (ResultSet row = statement.executeQuery("SELECT count(*) FROM " + table)) {
                row.next();
                System.out.println("kept " + row.getInt(1));
            }
        }
    }

    private static void drop(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            try {
                statement.execute("DROP TABLE " + table);
                System.out.println("dropped");
            } catch (SQLException denied) {
                System.out.println("denied " + denied.getSQLState());
            }
            try (ResultSet row = statement.executeQuery("SELECT 41 + 1")) {
                row.next();
                System.out.println("after " + row.getInt(1));
            }
        }
    }
}
